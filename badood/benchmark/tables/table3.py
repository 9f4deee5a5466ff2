"""Table 3: types of outliers before and after the filter."""

from typing import ClassVar

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import Column, Row, Table, table
from badood.evaluate.ood_types import type_table
from badood.pipeline.artefacts import Typed
from badood.pipeline.stages.select import select

ALL = "all types"


@table("table3")
class Table3(Table):
    """How many outliers of each type there are, and at what rate the run's filter removes them."""

    title: ClassVar = "Types of outliers before and after the filter"
    source: ClassVar = "Paper Table 3"
    told: ClassVar = (
        "CLIP names the type: OOD-I the anchor's class (covariate shift), OOD-II another class, OOD-III none. A filter that removes every type at one "
        "rate has found nothing, so each type's rate is held against that of all outliers."
    )
    columns: ClassVar = (
        Column("before", "before", percent=False),
        Column("after", "after", percent=False),
        Column("before_share", "share before"),
        Column("after_share", "share after"),
        Column("removed_share", "removed", compared=True),
    )
    paper: ClassVar = """
row,of 500 outliers; the copy at hand prints this one row,OOD-I,OOD-II,OOD-III
,After,233 (58.4%),38 (9.5%),167 (33.4%) 128 (32.1%) 39 (23.4%)
"""

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row a type. Nothing is retrained."""
        found = at.found
        kept = at.do(select, at.cfg.filter, found.outliers, found.described, found.confidence, found.harm, found.previews)
        types = Typed(at.run.folder / at.run.record["results"]["types"]).table()["ood_type"].to_pandas().to_numpy()
        told = type_table(types, kept.mask).rename(columns={"ood_type": "row"}).to_dict("records")
        every = {"row": ALL, "before": len(types), "after": int(kept.mask.sum()), "before_share": 1.0, "after_share": 1.0}
        return [*({str(key): value for key, value in row.items()} for row in told), every | {"removed_share": float((~kept.mask).mean())}]

    def foil(self, row: str) -> str:
        """All outliers."""
        return "" if row == ALL else ALL
