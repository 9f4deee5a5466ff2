"""Table 11: the full spectrum of OpenOOD v1.5."""

from typing import ClassVar

from badood.benchmark.spectrum import SpectrumTable
from badood.benchmark.table import table


@table("table11")
class Table11(SpectrumTable):
    """The preset's outliers and Dream-OOD's, where shifted ID images are to be accepted."""

    title: ClassVar = "Full spectrum"
    source: ClassVar = "Paper Table 11"
    told: ClassVar = (
        "As near and far OOD, with covariate-shifted ID images among the ID test images. ID accuracy is of the unshifted ones; the paper's last "
        "column is of shifted ones."
    )
    full: ClassVar = True
    sources: ClassVar = ("dream_ood",)
    paper: ClassVar = """
row,Methods (ImageNet-200),SSB-hard AUROC,NINCO AUROC,near AUROC,iNaturalist AUROC,Textures AUROC,OpenImage-O AUROC,far AUROC,ID Acc (covariate-shifted)
minority,Ours,48.50,56.45,52.53,74.36,52.62,60.70,62.30,55.12
dream_ood,Dream-OOD,48.12,56.01,52.06,73.65,50.88,56.80,60.44,51.63
"""
