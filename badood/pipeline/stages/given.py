"""Weights that somebody else trained -> the detector that every training of the run starts from, checked on ID images."""

from dataclasses import dataclass
from pathlib import Path

import torch

from badood import config
from badood.core.artefacts import write_json
from badood.core.weights import fingerprint
from badood.detect.backbone import save_detector
from badood.detect.hub import locate
from badood.detect.start import start_detector
from badood.detect.train import score
from badood.pipeline.artefacts import Images, Trained
from badood.pipeline.stage import Context, stage


@dataclass(frozen=True)
class GivenWeights:
    """A file, or a name under which weights are fetched. The key is the content, wherever it lies.

    Attributes:
        source: as `detector.weights` has it.
    """

    source: str

    @property
    def key(self) -> str:
        """Equal for equal weights."""
        return fingerprint(locate(self.source)[0])


@stage("given", version=1, result=Trained)
def given(out: Path, cfg: config.Detector, weights: GivenWeights, test: Images, validation: Images, ctx: Context) -> None:
    """`detector.safetensors`, `detector.json` (settings as the weights want them) and `report.json` (ID accuracy, order of the classes).

    Args:
        test: ID images on which accuracy is checked. validation: ID images that calibrate, on which accuracy is measured too.

    Raises:
        BadWeights: they are of another network or other classes, or name ID images far worse than expected.
    """
    settings = cfg.model_copy(update={"weights": weights.source})
    start = start_detector(settings, test.pixels, torch.from_numpy(test.labels), test.classes, ctx.compute)
    seen = score(start.detector, validation.pixels, ctx.compute, progress=ctx.progress)
    right = float((seen.logits.argmax(dim=1).numpy() == validation.labels).mean())
    report = start.report() | {"validation_accuracy": right}
    write(out, start.detector, start.cfg.model_copy(update={"weights": None}), len(test.classes), report)


def write(out: Path, detector: torch.nn.Module, cfg: config.Detector, classes: int, report: object) -> None:
    """A detector with all that is needed to load it again."""
    save_detector(detector, out / "detector.safetensors")  # type: ignore[arg-type]
    write_json(out / "detector.json", {"settings": cfg.model_dump(mode="json"), "classes": classes})
    write_json(out / "report.json", report)
