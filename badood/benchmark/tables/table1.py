"""Table 1: detectors of all kinds."""

from collections.abc import Mapping
from typing import ClassVar

from badood.benchmark.seeded import Seeded, figures
from badood.benchmark.table import OF_A_SET, Row, Table, table
from badood.benchmark.variants import each_alone, every_source
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.detect.scorers import scorer
from badood.pipeline.judge import scored_by

SCORERS = "scorers"


@table("table1")
class Table1(Table):
    """Every scorer on a detector without outliers, and every source of outliers, with and without calibration."""

    title: ClassVar = "Detectors"
    source: ClassVar = "Paper Table 1"
    told: ClassVar = (
        "Scorers judge a detector that was trained on ID images alone; to calibrate a score changes no rank, so that they have one row. Sources of "
        "outliers: all of them, held against none; a tenth at random; and as many that the run's filter keeps by calibrated confidence, held "
        "against those at random."
    )
    of_a_set: ClassVar = OF_A_SET
    paper: ClassVar = """
row,ImageNet-100,iNaturalist FPR95,iNaturalist AUROC,Places FPR95,Places AUROC,SUN FPR95,SUN AUROC,Textures FPR95,Textures AUROC,FPR95,AUROC
msp,MSP,31.80,94.98,47.10,90.84,47.60,90.86,65.80,83.34,48.08,90.01
odin,ODIN,24.40,95.92,50.30,90.20,44.90,91.55,61.00,81.37,45.15,89.76
mahalanobis,Mahalanobis,91.60,75.16,96.70,60.87,97.40,62.23,36.50,91.43,80.55,72.42
energy,Energy,32.50,94.82,50.80,90.76,47.60,91.71,63.80,80.54,48.68,89.46
godin,GODIN,39.90,93.94,59.70,89.20,58.70,90.65,39.90,92.71,49.55,91.628
knn,KNN,28.67,95.57,65.83,88.72,58.08,90.17,12.92,90.37,41.38,91.20
vim,ViM,75.50,87.18,88.30,81.25,88.70,81.37,15.60,96.63,67.03,86.61
react,ReAct,22.40,96.05,45.10,92.28,37.90,93.04,59.30,85.19,41.17,91.64
dice,DICE,37.30,92.51,53.80,87.75,45.60,89.21,50.00,83.27,46.67,88.19
gan all,GAN,83.10,71.35,83.20,69.85,84.40,67.56,91.00,59.16,85.42,66.98
vos all,VOS,43.00,93.77,47.60,91.77,39.40,93.17,66.10,81.42,49.02,90.03
npos all,NPOS,53.84,86.52,59.66,83.50,53.54,87.99,8.98,98.13,44.00,89.04
dream_ood all,Dream-OOD,26.15,95.87,39.90,93.59,38.65,93.09,57.40,84.12,40.52,91.67
dream_ood calibrated,Dream-OOD w/ Calib.,25.62,95.48,37.29,93.09,36.67,92.95,54.06,86.37,38.41,91.97
minority calibrated,Bad-OOD,26.25,95.53,32.29,93.76,34.17,93.48,53.33,86.01,36.51,92.20
,RankFeat (ResNetv2-101),41.31,91.91,39.34,90.93,29.27,94.07,37.29,91.70,36.80,92.15
,Bad-OOD (ResNetv2-101),25.10,95.51,32.50,93.75,32.40,93.72,52.71,86.14,35.68,92.28

row,CIFAR-100,SVHN FPR95,SVHN AUROC,Places FPR95,Places AUROC,LSUN FPR95,LSUN AUROC,Textures FPR95,Textures AUROC,iSUN FPR95,iSUN AUROC
fake_it all,Fake it,85.15,77.53,77.05,76.91,56.40,76.31,70.55,80.77,67.75,84.95
dream_ood all,Dream-OOD,59.00,86.86,72.45,79.98,24.55,95.33,48.10,88.04,2.15,99.21
dream_ood calibrated,Dream-OOD w/ Calib.,55.74,88.45,70.62,80.32,24.08,95.09,41.05,89.99,1.24,99.22
sona all,SONA,3.10,99.39,44.00,88.35,18.20,96.19,58.90,85.20,63.10,86.17
minority calibrated,Bad-OOD,54.90,89.16,68.75,86.04,24.54,94.22,40.21,91.56,1.10,99.72
"""

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """The scorers, and one for each source."""
        return {SCORERS: cfg} | each_alone(cfg, every_source(cfg))

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """Our score and every other on ID images alone; or a source's outliers, chosen in three ways."""
        if part != SCORERS:
            return at.retrained({f"{part} {name}": chosen for name, chosen in at.selections().items()})
        (_, judged), *_ = at.trained([(None, None)], list(scorer))
        scores, own = judged.scores, judged.metrics
        rows = [{"row": name, "kept": 0, **figures({**own, **scored_by(scores, name)})} for name in scorer]
        return [{"row": "none", "kept": 0, **figures(own)}, *rows]

    def foil(self, row: str) -> str:
        """No outliers, or as many at random."""
        name, _, way = row.rpartition(" ")
        return {"all": "none", "calibrated": f"{name} random"}.get(way, "")
