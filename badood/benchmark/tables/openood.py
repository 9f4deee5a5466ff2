"""OpenOOD's leaderboard: near and far OOD by its protocol and its figures."""

from collections.abc import Mapping
from typing import ClassVar

from badood.benchmark.seeded import Seeded
from badood.benchmark.spectrum import SpectrumTable
from badood.benchmark.table import Row, table
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.detect.scorers import scorer

SCORERS = "scorers"


@table("openood")
class OpenOOD(SpectrumTable):
    """The preset's detector, and every scorer on one without outliers, as OpenOOD v1.5 reports them."""

    title: ClassVar = "OpenOOD v1.5"
    source: ClassVar = "Zhang et al. 2023; leaderboard at https://zjysteven.github.io/OpenOOD"
    told: ClassVar = (
        "Near and far are means over the protocol's sets that are there; against the leaderboard only with all of them, and with OpenOOD's lists of "
        "ID images. FPR95 is OpenOOD's: ID flagged where 95 % of OOD is caught. Scorers judge a detector trained on ID images alone."
    )

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """The scorers and the preset's own outliers."""
        own = super().parts(cfg, wanted)
        return {SCORERS: next(iter(own.values())), **own}

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row a scorer, or the outliers that the filter keeps."""
        if part != SCORERS:
            return super().measure(at, part)
        (_, judged), *_ = at.trained([(None, None)], list(scorer))
        accuracy, scores = judged.metrics["id_accuracy"], judged.scores
        return [{"row": name, **self.figures(at, scores, name), "id_accuracy": accuracy} for name in scorer]

    def foil(self, row: str) -> str:
        """MSP, the oldest baseline."""
        return "" if row == "msp" else "msp"
