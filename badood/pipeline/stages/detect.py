"""ID images and outliers -> a detector. Paper sec. 3.4."""

from pathlib import Path

import psutil
import torch

from badood import config
from badood.core.compute import Compute
from badood.detect.backbone import Detector, load_detector
from badood.detect.train import make_detector, score
from badood.pipeline.artefacts import Images, Kept, Outliers, Rebuilt, Trained
from badood.pipeline.raw_score import See
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.given import write

_CODE_BYTES = 2**30
"""What a process takes beside its images."""


@stage("detect", version=1, result=Trained)
def detect(
    out: Path,
    cfg: config.Detector,
    start: Trained | None,
    train: Images,
    outliers: Outliers | Images | None,
    kept: Kept | None,
    rebuilt: Rebuilt | None,
    ctx: Context,
) -> None:
    """`detector.safetensors`, `detector.json` and `report.json` of a detector trained on ID images and the kept outliers, as `cfg.mode` says.

    Args:
        start: of given weights; none from scratch. outliers: or images in their place; none = ID images alone.
    """
    if start is not None:  # what the weights say of themselves, and the training as it is asked for
        found = settings_of(start)
        cfg = cfg.model_copy(update={name: getattr(found, name) for name in ("backbone", "backbone_params", "image_size", "mean", "std")})
    detector, report = make_detector(
        train.pixels[:],
        torch.from_numpy(train.labels),
        None if outliers is None or kept is None else outliers.pixels.take(kept.mask),
        cfg,
        classes=len(train.classes),
        compute=ctx.compute,
        start=None if start is None else load(start, ctx.compute),
        rebuilt=None if rebuilt is None else rebuilt.pixels[:],
        checkpoint=out / "checkpoint.pt",
        progress=ctx.progress,
    )
    write(out, detector, cfg, len(train.classes), report)
    (out / "checkpoint.pt").unlink(missing_ok=True)


def load(trained: Trained, compute: Compute) -> Detector:
    """A trained detector, ready to infer."""
    return compute.place(load_detector(trained.weights, settings_of(trained), classes=trained.classes)).eval()


def seeing(trained: Trained, ctx: Context) -> See:
    """One pass of a trained detector over images."""
    network = load(trained, ctx.compute)
    return lambda pixels: score(network, pixels, ctx.compute, progress=ctx.progress)


def settings_of(trained: Trained) -> config.Detector:
    """The settings with which it was built."""
    return config.Detector.model_validate(trained.settings)


def at_once(train: Images, rebuilt: Rebuilt | None, detectors: int, compute: Compute, *, brief: bool) -> int:
    """How many detectors to train at a time: one a thread, as far as half of the machine's memory goes. By settings and machine alone.

    Args:
        detectors: of the run's filter table. brief: a training is over sooner than another process would have started.
    """
    if compute.device.type != "cpu" or compute.ranks.count > 1 or brief:  # a GPU is shared badly
        return 1
    image = 3 * train.pixels.row_shape[-1] ** 2
    each = _CODE_BYTES + 2 * image * len(train) * (1 if rebuilt is None else 2)
    return min(torch.get_num_threads(), detectors, max(1, memory_bytes() // 2 // each))


def memory_bytes() -> int:
    """Memory that this process may have: the machine's, or what its container is given."""
    limits = [int(text) for path in ("/sys/fs/cgroup/memory.max",) if (text := _line(Path(path))).isdecimal()]
    return min([psutil.virtual_memory().total, *limits])


def _line(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""
