"""Table 9: sources of outliers, and what they cost."""

import time
from collections.abc import Mapping
from typing import ClassVar

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import DETECTION, OF_A_SET, Column, Row, Table, table
from badood.benchmark.variants import alone, each_alone, every_source
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.pipeline.models import Models
from badood.pipeline.preflight import outlier_sources
from badood.pipeline.stage import Context
from badood.pipeline.stages.encode import encode
from badood.pipeline.stages.outliers import given_to

TIMED = 30
"""Outliers that are made to take the time; the figure is scaled to 100."""


@table("table9")
class Table9(Table):
    """Every source of outliers, the diffusion methods among them, with the time that 100 of its outliers take."""

    title: ClassVar = "Sources of outliers and their time"
    source: ClassVar = "Paper Table 9 and sec. 4.3 (computation cost)"
    told: ClassVar = (
        f"A tenth of each source's outliers, as the run's filter keeps them, held against the preset's own source. Time per 100 outliers is scaled "
        f"from {TIMED} on this machine, from ID embeddings to images, with all that the source learns before the first one."
    )
    columns: ClassVar = (*DETECTION, Column("seconds", "s per 100 ↓", -1, percent=False, paper="s per 100"))
    of_a_set: ClassVar = OF_A_SET
    paper: ClassVar = """
row,CIFAR-100,SVHN FPR95,SVHN AUROC,Places FPR95,Places AUROC,LSUN FPR95,LSUN AUROC,Textures FPR95,Textures AUROC,iSUN FPR95,iSUN AUROC,FPR95,AUROC,s per 100
minority,Ours,54.90,89.16,68.75,86.04,24.54,94.22,40.21,91.56,1.10,99.72,37.10,92.97,50
sona,SONA,3.10,99.39,44.00,88.35,18.20,96.19,58.90,85.20,63.10,86.17,37.46,91.06,160
fake_it,Fake it,85.15,77.53,77.05,76.91,56.40,76.31,70.55,80.77,67.75,84.95,71.38,79.29,-
"""

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """One for each source."""
        return each_alone(cfg, every_source(cfg))

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """The filtered outliers, and the time."""
        rows = at.retrained({part: at.selections()["calibrated"]})
        return [{**row, "seconds": seconds_per_100(at)} for row in rows]

    def foil(self, row: str) -> str:
        """The paper's method."""
        return "" if row == "minority" else "minority"


def seconds_per_100(at: Seeded) -> float:
    """Wall time of 100 outliers of the only source, scaled from `TIMED`; its models are loaded before."""
    cfg, train = at.cfg, at.found.sets.train
    few = cfg.outliers[0].model_copy(update={"count": TIMED})
    (source,) = outlier_sources(alone(cfg, few)).values()
    encoded = at.do(encode, train, Models(cfg).only("encoder")) if "encoder" in source.needs else None
    given = given_to(train, encoded, Models(cfg).only(*source.needs), cfg.data.image_size, Context(cfg.compute, at.run.progress))
    for name in source.needs:
        getattr(given.models, {"tokenizer": "vqgan"}.get(name, name))
    start = time.perf_counter()
    made = sum(len(group.images) for group in source.groups(given, 0))
    return 100 * (time.perf_counter() - start) / made
