"""Outliers that somebody brings, as sources of a run's settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from badood.config import Config, validate
from badood.core.errors import BadInput

Outliers = str | Path | Mapping[str, Any]
"""A path of images that something else made, or the fields of `config.Outliers`."""


def with_outliers(cfg: Config, outliers: Sequence[Outliers], *, only: bool = False) -> Config:
    """The settings with further sources of outliers.

    Args:
        outliers: paths of what something else made, each a source named after its file or folder; or fields of `config.Outliers`.
        only: leave the other sources out.

    Raises:
        BadInput: others are to be left out and there is none.
    """
    if only and not outliers:
        raise BadInput("without a generator a run needs outliers that something else made: give their path (--outliers PATH).")
    sources = [] if only else [entry.model_dump() for entry in cfg.outliers]
    for entry in outliers:
        if isinstance(entry, Mapping):
            sources.append(dict(entry))
            continue
        place = Path(entry).expanduser().resolve()
        own = place.name.removesuffix(place.suffix) if place.is_file() else place.name
        taken = {source["name"] for source in sources}
        names = (own, f"{place.parent.name}-{own}", *(f"{own}-{number}" for number in range(2, 10_000)))
        sources.append({"name": next(name for name in names if name not in taken), "source": "imported", "params": {"path": str(place)}})
    return validate(cfg.model_dump() | {"outliers": sources}, source="outliers")
