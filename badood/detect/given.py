"""Given weights as a detector, as far as can be known without images: which network they are of, and whether they fit the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from badood import config
from badood.core.errors import BadConfig, BadWeights
from badood.core.weights import plain
from badood.detect.backbone import AUTO, MEAN, STD, Detector
from badood.detect.backbones.base import family_of, make_backbone, misfits
from badood.detect.checkpoints import Checkpoint, read_checkpoint
from badood.detect.class_order import check_count


@dataclass(frozen=True)
class Given:
    """Given weights with settings that fit them.

    Attributes:
        cfg: settings whose backbone, input size and normalisation are those of the weights.
        checkpoint: what the file holds.
        also: further backbones with the very same tensors; they may compute something else.
    """

    cfg: config.Detector
    checkpoint: Checkpoint
    also: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """Number of the classifier's classes, K."""
        return len(self.checkpoint.weight)

    def check_classes(self, classes: Sequence[str]) -> None:
        """Whether the classifier can tell the data's classes.

        Raises:
            BadWeights: it cannot; both numbers are said.
        """
        check_count(self.classes, classes, self.checkpoint.card.classes, self.checkpoint.source)

    def detector(self) -> Detector:
        """The network with the file's weights and an untouched phi, in evaluation mode on the CPU; it has the file's classes and their order.

        Raises:
            BadConfig: it cannot take images of `cfg.image_size`.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.cfg.seed)
            detector = Detector(self.cfg, self.classes)
        own = detector.backbone.state_dict()
        detector.backbone.load_state_dict({name: self.checkpoint.state.get(name, tensor) for name, tensor in own.items()})
        detector.head.linear.load_state_dict({"weight": self.checkpoint.weight, "bias": self.checkpoint.bias})
        _try(detector.eval(), self.cfg)
        return detector


def read_given(cfg: config.Detector) -> Given:
    """The given weights of settings, as far as can be known without images.

    Raises:
        BadConfig: mode and weights do not go together.
        BadWeights: the file cannot be used, or is of another network; says of which, and what to set.
    """
    if cfg.weights is None:
        raise BadConfig(f"detector.mode is {cfg.mode}, which needs given weights; set detector.weights to a file or a name.")
    checkpoint = read_checkpoint(cfg.weights)
    card, width = checkpoint.card, checkpoint.weight.shape[1]
    also: tuple[str, ...] = ()
    if cfg.backbone == AUTO:
        found = checkpoint.looks_like()
        if not found:
            raise BadWeights(
                f"{checkpoint.source} is of no network that is known by its tensors: {checkpoint.described()} "
                "Set detector.backbone (and detector.backbone_params, detector.image_size) to the timm model that it is of."
            )
        params = card.params if found[0] == card.backbone else {}
        size = card.image_size or family_of(found[0]).image_size(found[0])
        cfg = cfg.model_copy(update={"backbone": found[0], "backbone_params": dict(params), "image_size": size})
        also = tuple(found[1:])
    else:
        _check_fit(checkpoint, cfg)
    with torch.device("meta"):
        expected = family_of(cfg.backbone).width(make_backbone(cfg.backbone, cfg.backbone_params))
    if width != expected:
        raise BadWeights(
            f"{checkpoint.source}: its classifier {checkpoint.head!r} reads {width} features, but {cfg.backbone} makes {expected}, so more lies "
            "between them than a detector here can have; take a network whose classifier is one linear layer on pooled features."
        )
    said = {"mean": cfg.mean or card.mean or MEAN, "std": cfg.std or card.std or STD}
    return Given(cfg.model_copy(update=said), checkpoint, also)


def settled(cfg: config.Detector) -> config.Detector:
    """Settings in which nothing is left for the weights to say; those of a detector from scratch as they are.

    Raises:
        BadConfig, BadWeights: see `read_given`; or there are weights that mode makes no use of.
    """
    if cfg.mode != "scratch":
        return read_given(cfg).cfg
    if cfg.weights is not None:
        raise BadConfig(
            "detector.weights are given, but detector.mode is scratch, which starts from random ones; set mode to tuned or as-is."
        )
    return cfg


def _check_fit(checkpoint: Checkpoint, cfg: config.Detector) -> None:
    """Whether the tensors are those of the backbone that settings name."""
    with torch.device("meta"):
        named = make_backbone(cfg.backbone, cfg.backbone_params)
    wrong = misfits(checkpoint.state, named)
    if not wrong:
        return
    found = checkpoint.looks_like()
    if found:
        size = family_of(found[0]).image_size(found[0])
        advice = (
            f"It looks like {found[0]} ({size} px): set detector.backbone=auto, or detector.backbone={found[0]} detector.image_size={size}."
        )
    else:
        advice = f"It is of no network that is known by its tensors: {checkpoint.described()}"
    shown = "\n  ".join(wrong[:8]) + (f"\n  ... and {len(wrong) - 8} more" if len(wrong) > 8 else "")
    params = f" with {cfg.backbone_params}" if cfg.backbone_params else ""
    raise BadWeights(f"{checkpoint.source} does not fit detector.backbone {cfg.backbone!r}{params}:\n  {shown}\n{advice}")


@torch.no_grad()
def _try(detector: Detector, cfg: config.Detector) -> None:
    """One empty image through the network, since some take one size only."""
    blank = torch.zeros(1, 3, cfg.image_size, cfg.image_size)
    try:
        width = detector.features(blank).shape
    except (RuntimeError, AssertionError, ValueError) as error:
        own = family_of(cfg.backbone).image_size(cfg.backbone)
        raise BadConfig(
            f"detector.backbone {cfg.backbone!r} cannot take images of detector.image_size = {cfg.image_size} px ({plain(str(error))[:200]}); "
            f"its own size is {own}: set detector.image_size={own}."
        ) from error
    if width != (1, detector.head.linear.in_features):
        raise BadWeights(
            f"detector.backbone {cfg.backbone!r} gives features of shape {tuple(width[1:])}, not ({detector.head.linear.in_features},); "
            "a detector here needs a network whose classifier is one linear layer on pooled features."
        )
