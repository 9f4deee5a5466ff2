"""Train the detector: all its weights, from a random or a given start. Paper sec. 3.4; DESIGN item 9."""

import copy
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import resize

from badood import config
from badood.core.compute import Compute
from badood.core.errors import BadConfig, BadInput
from badood.core.progress import Progress
from badood.core.seeds import derive_seed
from badood.core.training import Loss, fit
from badood.core.whitened import whiten_by
from badood.detect.activations import Activations, Images
from badood.detect.augment import augmented
from badood.detect.backbone import Detector, Head
from badood.detect.energy_loss import energy, rank_correlation, uncertainty_loss

SCORE_BATCH = 512
REPORT_ROWS = 2000


def make_detector(
    images: Tensor,
    labels: Tensor,
    outliers: Images | None,
    cfg: config.Detector,
    classes: int,
    *,
    compute: Compute,
    start: Detector | None = None,
    rebuilt: Tensor | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Detector, dict[str, float]]:
    """The detector that `cfg.mode` asks for: trained by eq. 5 from scratch or from `start`, or `start` itself.

    Args:
        images: (N, 3, H, W) uint8 ID images.
        labels: (N,) int64 in [0, classes).
        outliers: M of (3, H, W) uint8, read as they are drawn; each step draws `cfg.outlier_share` of them per ID image, with replacement.
            None = a classifier of ID images alone, whose phi stays as it began.
        start: the detector of the given weights (`start.start_detector`), the same one for every retrain; None where mode is scratch.
            Training starts from its backbone and linear layer, for `cfg.tuned_epochs` at `cfg.tuned_lr`; it is left as it is, and its phi
            plays no part. From scratch: random weights, for `cfg.epochs` at `cfg.lr`.
        rebuilt: (N, 3, H, W) uint8, the tokenizer's reconstruction of each ID image; it takes the image's place in `cfg.rebuilt_share` of the
            draws. None = never.
        checkpoint: see `core.training.fit`.

    Returns:
        The detector on the compute's device, in evaluation mode, and a report: rank_correlation of E with the outlier label, in
        [-1, 1]. Where it is not clearly positive the energies do not tell outliers from ID, or tell them the wrong way round. Empty
        without outliers.

    Raises:
        BadConfig: mode needs given weights and there are none, or has no use for them.
        BadInput: there is no outlier or no ID image.
        TrainingDiverged: the loss is not finite.
    """
    if (start is None) != (cfg.mode == "scratch"):
        raise BadConfig(
            f"detector.mode is {cfg.mode}, which {'needs' if start is None else 'has no use for'} given weights; set detector.mode."
        )
    _check(len(images), None if outliers is None else len(outliers))
    if cfg.mode == "as-is" and start is not None:
        detector = compute.place(copy.deepcopy(start)).eval()
    else:
        detector = _trained(images, labels, outliers, cfg, classes, start, rebuilt, compute, checkpoint, progress)
    return detector, {} if outliers is None else ordering(detector, images, outliers, compute)


def _trained(
    images: Tensor,
    labels: Tensor,
    outliers: Images | None,
    cfg: config.Detector,
    classes: int,
    start: Detector | None,
    rebuilt: Tensor | None,
    compute: Compute,
    checkpoint: Path | None,
    progress: Progress | None,
) -> Detector:
    if start is None:
        detector = untrained(cfg, classes, images)
    else:
        torch.manual_seed(derive_seed(cfg.seed, "detector"))
        detector = Detector(cfg, classes)
        detector.backbone.load_state_dict(start.backbone.state_dict())
        detector.head.linear.load_state_dict(start.head.linear.state_dict())
        cfg = cfg.model_copy(update={"epochs": cfg.tuned_epochs, "lr": cfg.tuned_lr})
    detector = compute.place(detector)
    loss = detector_loss(detector, images, labels, outliers, cfg, compute, rebuilt)
    trained = fit(detector, loss, len(images), cfg, compute=compute, checkpoint=checkpoint, stage="detector", progress=progress)
    detector.load_state_dict(trained)
    return detector.eval()


def untrained(cfg: config.Detector, classes: int, images: Tensor) -> Detector:
    """A detector of random weights, on the CPU; what a network takes from the data is taken from (N, 3, H, W) uint8 ID images."""
    torch.manual_seed(derive_seed(cfg.seed, "detector"))
    detector = Detector(cfg, classes)
    whiten_by(detector.backbone, images, detector.prepare)
    return detector


def detector_loss(
    detector: Detector,
    images: Tensor,
    labels: Tensor,
    outliers: Images | None,
    cfg: config.Detector,
    compute: Compute,
    rebuilt: Tensor | None = None,
) -> Loss:
    """What `core.training.fit` minimises: eq. 5 on augmented images, or the cross-entropy alone without outliers; see `make_detector`."""
    images = _no_larger(images, cfg.image_size)
    rebuilt = None if rebuilt is None else _no_larger(rebuilt, cfg.image_size)

    def loss(rows: Tensor, _share_done: float) -> Tensor:
        n = len(rows)
        parts = [images[rows]]
        if rebuilt is not None:
            swapped = torch.rand(n) < cfg.rebuilt_share
            parts[0][swapped] = rebuilt[rows[swapped]]
        if outliers is not None:
            drawn = torch.randint(len(outliers), (max(2, round(cfg.outlier_share * n)),))
            parts.append(_no_larger(outliers[drawn], cfg.image_size))
        logits = detector(compute.put(torch.cat([augmented(part) for part in parts]))).float()
        return _objective(detector.head, logits, compute.put(labels[rows]), cfg)

    return loss


def ordering(detector: Detector, images: Images, outliers: Images, compute: Compute) -> dict[str, float]:
    """The report of a detector: rank_correlation of E with the outlier label, in [-1, 1], on the first rows of each."""
    parts = (some[torch.arange(min(len(some), REPORT_ROWS))] for some in (images, outliers))
    of_id, of_outliers = (score(detector, _no_larger(part, detector.image_size), compute).energy for part in parts)
    return {"rank_correlation": rank_correlation(of_id, of_outliers)}


@torch.no_grad()
def score(detector: Detector, images: Images, compute: Compute, *, progress: Progress | None = None) -> Activations:
    """One pass of the detector over images, for all scorers.

    Args:
        images: N of (3, H, W) uint8, read batch by batch.

    Returns:
        Activations on the CPU in float32; the logits are the head's in full precision. Their `images` are those given, not read again.
    """
    detector.eval()
    # a backbone holds a few dozen maps of the input's size at a time
    batch = compute.batch_size(64 * 4 * 3 * detector.image_size**2, SCORE_BATCH)

    def seen_rows(rows: Tensor) -> Tensor:
        return detector.features(detector.prepare(compute.put(images[rows.cpu()])))

    features = compute.map(seen_rows, torch.arange(len(images)), batch, stage="score", progress=progress)
    features = features.clone()  # an inference tensor may not take part in what scorers learn by gradients
    head = copy.deepcopy(detector.head).cpu()
    seen = head.see(features)
    return Activations(seen.logits, features, head.linear, seen.phi, images, detector)


def _no_larger(images: Tensor, side: int) -> Tensor:
    """(N, 3, H, W) uint8 shrunk to the detector's input; smaller ones stay as they are. An image is the same in any batch."""
    return images if max(images.shape[-2:]) <= side else resize(images, [side, side], antialias=True)


def _objective(head: Head, logits: Tensor, labels: Tensor, cfg: config.Detector) -> Tensor:
    """Eq. 5 on a batch: first the ID images that have `labels`, then outliers; without outliers the cross-entropy alone."""
    of_id = len(labels)
    value = F.cross_entropy(logits[:of_id], labels, label_smoothing=cfg.label_smoothing)
    if len(logits) == of_id:
        return value
    phi = head.phi(energy(logits))
    return value + cfg.beta * uncertainty_loss(phi[:of_id], phi[of_id:])


def _check(id_images: int, outliers: int | None) -> None:
    if not id_images or outliers == 0:
        raise BadInput(
            f"the detector trains on ID images and outliers, got {id_images:,} and {outliers or 0:,}; widen the filter or check data.train."
        )
