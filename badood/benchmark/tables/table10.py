"""Table 10: near and far OOD of OpenOOD v1.5."""

from typing import ClassVar

from badood.benchmark.spectrum import SpectrumTable
from badood.benchmark.table import table


@table("table10")
class Table10(SpectrumTable):
    """The preset's outliers and SONA's on near and far OOD."""

    title: ClassVar = "Near and far OOD"
    source: ClassVar = "Paper Table 10"
    told: ClassVar = "The sets of OpenOOD's protocol that are there; a tenth of each source's outliers, as the run's filter keeps them."
    sources: ClassVar = ("sona",)
    paper: ClassVar = """
row,Method (ImageNet-200),SSB-hard AUROC,NINCO AUROC,near AUROC,iNaturalist AUROC,Textures AUROC,OpenImage-O AUROC,far AUROC,ID Acc
minority,Ours,61.41,68.80,65.11,83.12,64.85,72.11,73.36,23.92
sona,SONA,59.31,66.77,63.04,79.61,64.09,68.44,70.71,22.28
"""
