"""Table 6: synthesisers and architectures."""

from collections.abc import Mapping
from typing import ClassVar

from badood.benchmark.seeded import Seeded, figures
from badood.benchmark.table import Row, Table, table
from badood.benchmark.variants import each_alone, from_scratch, synthesisers
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.pipeline.judge import scored_by

ARCHITECTURES = ("resnet18", "mobilenetv3_small_100")
"""Networks beside the preset's own, by names of timm's. A ResNet deeper than the preset's, and one of another kind."""
BASELINE = "gaussian"
SCORER = "rankfeat"


@table("table6")
class Table6(Table):
    """Every synthesiser with the preset's network, and the preset's outliers with other networks beside RankFeat."""

    title: ClassVar = "Synthesisers and architectures"
    source: ClassVar = "Paper Table 6"
    told: ClassVar = (
        "All outliers are filtered by calibrated confidence, a tenth of them kept. Synthesisers are held against Gaussian noise; with another "
        "network, trained from random weights, our outliers are held against RankFeat on the same network without outliers."
    )
    paper: ClassVar = """
row,Outlier Synthesis,Architecture,FPR95,AUROC,AUPR
gaussian,Add Gaussion Noise,ResNet-34,57.14,87.24,83.89
minority,Minority Guidance,ResNet-34,36.51,92.20,87.32
,RankFeat (Song et al. 2022b),ResNet-101,36.80,92.15,-
,Minority Guidance,ResNet-101,35.68,92.28,87.37
,RankFeat (Song et al. 2022b),T2T-ViT,51.58,85.60,84.58
,Minority Guidance,T2T-ViT,50.21,89.47,
"""

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """One for each synthesiser and each network."""
        own = each_alone(cfg, synthesisers(cfg))
        return own | {name: from_scratch(cfg, backbone=name, backbone_params={}) for name in ARCHITECTURES}

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """The filtered outliers; with another network also RankFeat without any."""
        chosen = at.selections()["calibrated"]
        if part not in ARCHITECTURES:
            return at.retrained({part: chosen})
        (_, judged), *_ = at.trained([(None, None)], [SCORER])
        alone = {**judged.metrics, **scored_by(judged.scores, SCORER)}
        return [{"row": f"{part}, {SCORER}", "kept": 0, **figures(alone)}, *at.retrained({f"{part}, outliers": chosen})]

    def foil(self, row: str) -> str:
        """Gaussian noise, or RankFeat on the same network."""
        network, _, way = row.partition(", ")
        return f"{network}, {SCORER}" if way == "outliers" else "" if way or row == BASELINE else BASELINE
