"""What a job can do: one kind a file. Other packages add kinds through the entry point `badood.job_kinds`.

A kind imports what it needs when it is called: all kinds are loaded to find one, and only one is done.
"""

from collections.abc import Callable, Mapping
from typing import Any

from badood.core.progress import Progress
from badood.core.registry import Registry

JobKind = Callable[[Mapping[str, Any], Progress], dict[str, Any]]
"""(arguments, progress) -> result; both are what JSON takes. What it finished before a cut is not done again."""

job_kind: Registry[JobKind] = Registry("job kind", "badood.jobs.kinds")
