"""Table 2: bands of confidence, and guidance scales."""

from typing import ClassVar

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import Row, Table, table
from badood.config import Filter

BANDS = ("high", "mid", "low")


@table("table2")
class Table2(Table):
    """Every band of the paper, on outliers of all guidance scales, and on those of each scale the mid band."""

    title: ClassVar = "Bands of confidence and guidance scales"
    source: ClassVar = "Paper Table 2"
    told: ClassVar = (
        "Rows of one scale, or of all, keep the same number of outliers, but those of all outliers (×), and are held against as many at random. "
        "All share the first detector, which saw the outliers of all scales. none is trained on ID images alone, real on real images of other "
        "classes."
    )
    paper: ClassVar = """
row,Min. Scale,Calib.,FPR95,AUROC,AUPR
mixed ×,Mixed,×,54.06,88.75,86.30
mixed random,Mixed,Random,53.52,89.43,86.86
mixed high,Mixed,High (0.3-1.0),51.20,89.20,86.61
mixed mid,Mixed,Mid (0.3-0.5),39.69,91.71,87.13
mixed low,Mixed,Low (0-0.5),45.65,90.12,86.84
0.025 random,0.025,Random,52.01,90.00,86.87
"""

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """The mixed rows, and the rows of every scale that the outliers have."""
        scales = at.found.outliers.column("guidance_scale")
        groups = {"mixed": None} | ({} if scales is None else {f"{scale:g}": (scales == scale) for scale in sorted(set(scales))})
        chosen: dict[str, Filter] = {}
        ends: list[Row] = []
        for name, mask in groups.items():
            ids = None if mask is None else mask.nonzero()[0].tolist()
            bands = BANDS if ids is None else ("mid",)
            count = at.equal_count([Filter(strategy=band, ids=ids) for band in bands], len(at.found.outliers) if ids is None else len(ids))
            if ids is None:
                ends = at.ends(count)
                chosen["mixed ×"] = Filter(strategy="all")
            for strategy in ("random", *bands):
                chosen[f"{name} {strategy}"] = Filter(strategy=strategy, ids=ids, count=count, seed=at.seed)
        return [*ends, *at.retrained(chosen)]

    def foil(self, row: str) -> str:
        """As many at random, of the same scale."""
        scale, _, band = row.partition(" ")
        return "mixed random" if not band else "" if band in ("random", "×") else f"{scale} random"
