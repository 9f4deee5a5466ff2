"""The filter table: a row for each detector of a run. Paper Table 2."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from badood.config import Filter
from badood.core.artefacts import digest
from badood.core.errors import BadInput
from badood.evaluate.metrics import METRICS
from badood.filter import PAPER_BANDS

ROW_METRICS = (*METRICS, "id_accuracy")
"""What a row of the table shows, in the paper's order."""

Figures = dict[str, float]
"""fpr95, auroc, aupr and fpr95_openood, as fractions."""


@dataclass(frozen=True)
class FilterRow:
    """One filter: what it keeps, and how the detector that was retrained on that does on test images.

    Attributes:
        name: of the row. filter: strategy and its numbers.
        empty: why it keeps nothing; then all below is missing.
        kept: number of outliers. lo, hi: lowest and highest id_confidence among them.
        overlap: share of them that looks as much like ID as 95 % of ID validation does. warning: one sentence where that is high.
        reason: one sentence on how they were chosen. sources: how many of each source are kept.
        fpr95, auroc, aupr, fpr95_openood: mean over the OOD test sets, fractions. id_accuracy: on the ID test images.
        per_set: the same by OOD set. scorers: by baseline scorer, the mean and `per_set`.
        validation: of ID validation against the auxiliary set; by these, and never by test figures, a filter is chosen.
        uncalibrated: why the detector has no calibrator.
        selection, detector, evaluation: folders of the results, below the run's.
    """

    name: str
    filter: Filter
    empty: str = ""
    kept: int = 0
    lo: float = math.nan
    hi: float = math.nan
    overlap: float = math.nan
    warning: str = ""
    reason: str = ""
    sources: dict[str, int] = field(default_factory=dict)
    fpr95: float = math.nan
    auroc: float = math.nan
    aupr: float = math.nan
    fpr95_openood: float = math.nan
    id_accuracy: float = math.nan
    per_set: dict[str, Figures] = field(default_factory=dict)
    scorers: dict[str, dict[str, Any]] = field(default_factory=dict)
    validation: Figures = field(default_factory=dict)
    uncalibrated: str = ""
    selection: str = ""
    detector: str = ""
    evaluation: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `run.json` has it: without the name, and without what is missing."""
        content = asdict(self) | {"filter": self.filter.model_dump(mode="json")}
        del content["name"]
        return {key: value for key, value in content.items() if not (value == "" or value == {} or value != value)}

    @classmethod
    def from_json(cls, name: str, content: Mapping[str, Any]) -> "FilterRow":
        """What `to_json` wrote; entries of a later version are passed over.

        Raises:
            BadInput: it is no row.
        """
        known = {entry.name for entry in fields(cls)} - {"name", "filter"}
        try:
            return cls(name, Filter(**content["filter"]), **{key: value for key, value in content.items() if key in known})
        except (LookupError, TypeError, ValueError) as error:
            raise BadInput(f"the row {name!r} of the filter table is damaged ({error}); start the run again.") from error


def chosen(rows: Mapping[str, FilterRow]) -> FilterRow | None:
    """The row whose detector ranks ID validation against the auxiliary set best (AUROC; the first of equal ones); none where none can."""
    able = [row for row in rows.values() if not row.empty and not row.uncalibrated and row.validation]
    return max(able, key=lambda row: row.validation["auroc"], default=None)


def filter_name(chosen: Filter) -> str:
    """The name of a filter's row: one of the paper's bands by the paper's name, another by its limits; what it is restricted to is added."""
    name = chosen.strategy
    if name in ("band", "quantile"):
        paper = {limits: of for of, limits in PAPER_BANDS.items()} if name == "band" else {}
        name = paper.get((chosen.lo, chosen.hi), f"{name} {chosen.lo:g}-{chosen.hi:g}")
    name += f" of {', '.join(chosen.sources)}" if chosen.sources else ""
    name += "" if chosen.max_harm is None else f", harm <= {chosen.max_harm:g}"
    name += "" if chosen.ids is None else f", {len(chosen.ids):,} selected ({digest(sorted(chosen.ids))[:6]})"
    return f"{name}, without {len(chosen.without):,} ({digest(sorted(chosen.without))[:6]})" if chosen.without else name
