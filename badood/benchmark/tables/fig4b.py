"""Figure 4b: image generators."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import DETECTION, Column, Row, Table, table
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.core import weights
from badood.core.places import placed
from badood.data.splits import load
from badood.pipeline.fit_figures import decode_consistency
from badood.pipeline.models import Models

BASELINE = "MAGE"
GENERATORS: Mapping[str, Literal["mage", "dit", "ldm"]] = {BASELINE: "mage", "DiT": "dit", "LDM": "ldm"}
CONDITIONAL = "MAGE, class-conditional RDM"
CONDITIONAL_WEIGHTS = "rdm-conditional.safetensors"
"""In the preset's weights folder."""


@table("fig4b")
class Fig4b(Table):
    """MAGE, a diffusion transformer and a latent diffusion model decode the same outlier embeddings; and MAGE those of a class-conditional RDM."""

    title: ClassVar = "Image generators"
    source: ClassVar = "Paper Fig. 4b"
    told: ClassVar = (
        "The generators decode the same embeddings of the unconditional RDM (the paper's config 1), as the run's filter keeps a tenth of their outliers; "
        "they are held against MAGE. The last row has a class-conditional RDM (of the paper's configs 2 and 3, which differ in the size of the encoder, "
        "too). DiT and LDM are small ones of the tokenizer's latents, not the published models. Class kept: share of 128 ID test images whose decoded z0 "
        "the encoder places among their own class."
    )
    columns: ClassVar = (*DETECTION, Column("class_kept", "class kept ↑", 1))

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """One for each generator, and one for the other RDM."""
        found = {
            name: cfg.model_copy(update={"decode": cfg.decode.model_copy(update={"generator": it})}) for name, it in GENERATORS.items()
        }
        return found | {CONDITIONAL: conditional(cfg)}

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """The filtered outliers, and what the generator makes of ID embeddings."""
        test = load(at.cfg.data.test, None)
        kept = decode_consistency(Models(at.cfg), test.pixels(at.cfg.data.image_size), test.labels)
        return [{**row, "class_kept": kept} for row in at.retrained({part: at.selections()["calibrated"]})]

    def foil(self, row: str) -> str:
        """MAGE with the unconditional RDM."""
        return "" if row == BASELINE else BASELINE


def conditional(cfg: Config) -> Config:
    """The settings with an RDM that knows as many classes as its weights do.

    `train rdm --set rdm.classes=N --set rdm.weights=FOLDER/rdm-conditional.safetensors` makes them.
    """
    path = placed(Path(cfg.weights).expanduser() / CONDITIONAL_WEIGHTS)
    classes = len(weights.read(path)["embedding.weight"]) if path.is_file() else 1  # where it is missing, preflight says so
    return cfg.model_copy(update={"rdm": cfg.rdm.model_copy(update={"classes": classes, "weights": str(path)})})
