"""Table 8: ID classes of unequal size."""

from collections.abc import Mapping
from typing import ClassVar

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import Row, Table, table
from badood.benchmark.variants import each_alone, every_source, part_of
from badood.benchmark.wanted import Wanted
from badood.config import Config

REMOVED = 12 / 13
"""The largest share of a class that is removed: 1,200 of 1,300 images in the paper."""
RIVAL = "dream_ood"


@table("table8")
class Table8(Table):
    """The preset's outliers and Dream-OOD's, with ID training images of which each class lost another share."""

    title: ClassVar = "Class imbalance"
    source: ClassVar = "Paper Table 8"
    told: ClassVar = (
        "Each ID class lost a random share of its training images, at most 12 of 13, the same for all rows and seeds. All outliers of each source, "
        "and a tenth that the run's filter keeps; Dream-OOD's are held against the preset's own."
    )
    paper: ClassVar = """
row,Methods,iNaturalist FPR95,iNaturalist AUROC,Places FPR95,Places AUROC,Sun FPR95,Sun AUROC,Textures FPR95,Textures AUROC,FPR95,AUROC
ours calibrated,Ours,34.27,87.10,42.15,84.31,48.65,89.03,49.85,85.60,43.88,85.03
dream_ood all,Dream-OOD,50.62,82.24,50.31,80.41,59.48,76.37,46.77,78.04,54.30,79.26
"""

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """One for each source."""
        train = part_of(cfg.data.train, thinned=REMOVED, seed=cfg.seed)
        uneven = cfg.model_copy(update={"data": cfg.data.model_copy(update={"train": train})})
        return each_alone(uneven, {"ours": cfg.outliers[0], RIVAL: every_source(cfg)[RIVAL]})

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """All outliers, and those that the filter keeps."""
        return at.with_and_without(part)

    def foil(self, row: str) -> str:
        """The preset's own outliers."""
        return row.replace(RIVAL, "ours") if RIVAL in row else ""
