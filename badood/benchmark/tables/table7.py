"""Table 7: ID classes that are alike, or varied."""

from collections.abc import Mapping
from typing import ClassVar

from badood.benchmark.class_choice import chosen_classes
from badood.benchmark.seeded import Seeded
from badood.benchmark.table import Row, Table, table
from badood.benchmark.variants import alone, every_source, from_scratch, part_of
from badood.benchmark.wanted import Wanted
from badood.config import Config

RIVAL = "dream_ood"


@table("table7")
class Table7(Table):
    """The preset's outliers and Dream-OOD's, on a part of the ID classes."""

    title: ClassVar = "Similar and variable classes"
    source: ClassVar = "Paper Table 7"
    told: ClassVar = (
        "Ten ID classes, or half of them where there are fewer than twenty: at random, near to one another by the encoder's embeddings of ID training "
        "images, or with the farthest images within a class. Detectors start from random weights. All outliers of each source, and a tenth that the run's "
        "filter keeps; Dream-OOD's are held against the preset's own."
    )
    paper: ClassVar = """
row,Settings (In-distribution Data),Ours FPR95 (Avg.),Ours AUROC (Avg.),Dream-OOD FPR95 (Avg.),Dream-OOD AUROC (Avg.)
,10 Random classes from ImageNet-100,66.85,77.41,68.59,76.93
,10 Semantic overlap classes from ImageNet-100,68.62,79.55,78.91,69.40
,10 Intra-class variability classes from ImageNet-R,69.64,75.19,79.66,70.34
"""

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """For each choice of classes one for each source."""
        sources = {"ours": cfg.outliers[0], RIVAL: every_source(cfg)[RIVAL]}
        return {
            f"{kind}: {', '.join(classes)}; {name}": alone(_of_classes(cfg, classes), entry)
            for kind, classes in chosen_classes(cfg).items()
            for name, entry in sources.items()
        }

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """All outliers, and those that the filter keeps."""
        return at.with_and_without(part)

    def foil(self, row: str) -> str:
        """The preset's own outliers for the same classes."""
        classes, _, source = row.rpartition("; ")
        return f"{classes}; {source.replace(RIVAL, 'ours')}" if RIVAL in source else ""


def _of_classes(cfg: Config, classes: list[str]) -> Config:
    """The ID images of these classes."""
    data = cfg.data.model_copy(update={name: part_of(getattr(cfg.data, name), classes=classes) for name in ("train", "test")})
    return from_scratch(cfg.model_copy(update={"data": data}))
