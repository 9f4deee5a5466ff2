"""A table or figure of the paper."""

from collections.abc import Mapping
from typing import Any

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind


@job_kind("benchmark")
def benchmark(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Measure it and write its page onto the shelf; rows that lie there are not measured again.

    Args:
        arguments: name of the table; fields of `benchmark.wanted.Wanted`.
    """
    from badood.benchmark.reproduce import reproduce
    from badood.benchmark.shelf import shelf
    from badood.benchmark.wanted import Wanted

    fields = {key: value for key, value in arguments.items() if key != "name"}
    wanted = Wanted(**fields | {"settings": tuple(fields.get("settings", ()))})
    return {"page": reproduce(arguments["name"], wanted, progress, shelf()).stem}
