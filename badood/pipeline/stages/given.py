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

SEEN = 0.03
"""Weights whose accuracy on ID validation images is higher by more than this than on test images have likely seen the former."""


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


def notices(start: Trained) -> list[str]:
    """What a user should know of given weights: the order of classes, sizes, and whether they have seen the images that calibrate."""
    report = start.report
    told = list(report["told"])
    before, after = report["validation_accuracy"], report["accuracy"]
    if before > after + SEEN:
        told.append(
            f"The given weights name {before:.1%} of the ID validation images rightly and {after:.1%} of the ID test images: they were likely "
            "trained on the images that calibrate, so id_confidence of unseen ID images is lower than it should be. Where you can, give images "
            "as data.train that they were not trained on."
        )
    return told


def write(out: Path, detector: torch.nn.Module, cfg: config.Detector, classes: int, report: object) -> None:
    """A detector with all that is needed to load it again."""
    save_detector(detector, out / "detector.safetensors")  # type: ignore[arg-type]
    write_json(out / "detector.json", {"settings": cfg.model_dump(mode="json"), "classes": classes})
    write_json(out / "report.json", report)
