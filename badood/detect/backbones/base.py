"""What a family of backbones is, and the registry of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from badood.core.errors import BadConfig
from badood.core.registry import Registry

State = Mapping[str, Tensor]


class Family(ABC):
    """Backbones of one origin. A backbone maps a normalised (N, 3, h, w) batch to (N, `width`) features, of which a linear layer makes the logits.

    Its tensors have the names of the published files, less the classifier, so that a file's own names fit.

    Attributes:
        rank: families of a lower one are tried first when a file is to be recognised.
    """

    rank: ClassVar[int] = 0

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Names for `detector.backbone`, as far as they can be listed."""

    def has(self, name: str) -> bool:
        """Whether `make` knows a name."""
        return name in self.names()

    @abstractmethod
    def make(self, name: str, params: Mapping[str, Any]) -> nn.Module:
        """The backbone with random weights.

        Raises:
            BadConfig: there is no such one, or it refuses its arguments.
        """

    def width(self, backbone: nn.Module) -> int:
        """Number of features, D."""
        return int(backbone.num_features)  # type: ignore[arg-type]

    @abstractmethod
    def stages(self, backbone: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Its last but one and its last stage; each returns a (N, D, h, w) feature map."""

    @abstractmethod
    def image_size(self, name: str) -> int:
        """Input height and width in px with which it was published."""

    def candidates(self, state: State) -> Sequence[str]:
        """Names that may have made a state dict; cheap, and rather too many than too few."""
        return self.names()

    def recognise(self, state: State) -> Iterator[str]:
        """Names whose tensors are exactly these. Nothing is computed: the backbones are built without memory.

        Args:
            state: a file's tensors, less the classifier.
        """
        for name in self.candidates(state):
            with torch.device("meta"):
                backbone = self.make(name, {})
            if not misfits(state, backbone):
                yield name


def misfits(state: State, backbone: nn.Module) -> list[str]:
    """What is missing, extra or of another shape in a state dict. Counters of batches, which old files lack, are no misfit."""
    own = {name: tensor.shape for name, tensor in backbone.state_dict().items()}
    missing = [f"missing {name}, {tuple(shape)}" for name, shape in own.items() if name not in state and not _counts(name)]
    extra = [f"extra {name}, {tuple(tensor.shape)}" for name, tensor in state.items() if name not in own]
    shaped = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(shape)}"
        for name, shape in own.items()
        if name in state and state[name].shape != shape
    ]
    return shaped + missing + extra


def _counts(name: str) -> bool:
    return name.endswith("num_batches_tracked")


backbone: Registry[type[Family]] = Registry("backbone", "badood.detect.backbones")


def family_of(name: str) -> Family:
    """The family that makes the backbone of a name; timm's where no other one has it."""
    made = (kind() for kind in sorted(backbone.values(), key=lambda kind: kind.rank))
    return next(family for family in made if family.has(name))


def make_backbone(name: str, params: Mapping[str, Any]) -> nn.Module:
    """The backbone of a name with random weights.

    Raises:
        BadConfig: there is no such one, or it refuses its arguments.
    """
    return family_of(name).make(name, params)


def recognised(state: State) -> list[str]:
    """Names of all backbones whose tensors are exactly these, of the first family that has any.

    Args:
        state: a file's tensors, less the classifier.
    """
    for kind in sorted(backbone.values(), key=lambda kind: kind.rank):
        if found := list(kind().recognise(state)):
            return found
    return []


def no_arguments(name: str, params: Mapping[str, Any]) -> None:
    """For families whose backbones take none.

    Raises:
        BadConfig: there are some.
    """
    if params:
        raise BadConfig(
            f"detector.backbone {name!r} takes no arguments, got detector.backbone_params = {dict(params)}; set detector.backbone_params={{}}."
        )
