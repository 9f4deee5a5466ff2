"""Classifiers that others trained: their files unwrapped, and the network found that made them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import timm
import torch
from torch import Tensor

from badood.core import weights
from badood.core.errors import BadWeights
from badood.detect.backbones.base import make_backbone, misfits, recognised
from badood.detect.hub import Card, locate

NESTS = ("state_dict", "model_state_dict", "model", "net", "ema", "state_dict_ema", "model_ema")
"""Where training scripts put the state dict; where there are several, the first of these."""
SCRIPTS = ("model.", "net.", "network.")
"""Prefixes of training modules, beside those of `core.weights`."""
CLASS_NAMES = ("classes", "class_names", "label_names", "class_to_idx")
HEAD = re.compile(r"(?:.*\.)?(?:linear|fc|head|heads\.head|head\.(?:fc|linear)|classifier(?:\.\d+)?|logits)\.weight")


@dataclass(frozen=True)
class Checkpoint:
    """A classifier's tensors in float32, on the CPU.

    Attributes:
        source: for messages.
        state: the backbone's, with the names of its published files.
        weight: (K, D) of the classifier. bias: (K,). head: what the file calls it.
        card: what the publisher says.
    """

    source: str
    state: dict[str, Tensor]
    weight: Tensor
    bias: Tensor
    head: str
    card: Card

    def looks_like(self) -> list[str]:
        """Names of backbones whose tensors are exactly these; what the publisher names is believed where it fits."""
        if self.card.backbone is not None:
            with torch.device("meta"):
                named = make_backbone(self.card.backbone, self.card.params)
            if not misfits(self.state, named):
                return [self.card.backbone]
        return recognised(self.state)

    def described(self) -> str:
        """What is in it, for who must find the network's name."""
        names = sorted(self.state)
        numbers = sum(tensor.numel() for tensor in self.state.values())
        return (
            f"{len(names)} tensors with {numbers / 1e6:.2f} M numbers before a classifier {self.head!r} of {len(self.weight)} classes "
            f"on {self.weight.shape[1]} features: {', '.join(f'{name} {tuple(self.state[name].shape)}' for name in names[:4])}, ..."
        )


def read_checkpoint(given: str) -> Checkpoint:
    """A classifier as others save it: safetensors, or a pickle in which no code is run.

    Args:
        given: as `detector.weights`.

    Raises:
        BadWeights: there is no such file; it holds code, no state dict, no classifier, or a number that is not finite.
    """
    path, card = locate(given)
    content: Any = weights.read(path) if path.suffix == ".safetensors" else weights.read_foreign(path)
    if isinstance(content, Mapping):
        card = _more(card, content)
    state = _unwrapped(content)
    if not state:
        found = ", ".join(map(str, list(content)[:10])) if isinstance(content, Mapping) else type(content).__name__
        raise BadWeights(
            f"{path} holds no state dict (found: {weights.plain(found) or 'nothing'}); expected tensors by name, at the top or under "
            f"{', '.join(NESTS)}."
        )
    weights.check_finite(state, path)
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    head = _head(state)
    if head is None:
        raise BadWeights(
            f"{path} has no classifier: no matrix is called linear, fc, head, classifier or logits (it has {', '.join(sorted(state)[-5:])}); "
            "a detector needs a trained classifier, not an encoder alone."
        )
    weight = state.pop(f"{head}.weight").flatten(1)
    bias = state.pop(f"{head}.bias", torch.zeros(len(weight)))
    return Checkpoint(str(path), state, weight, bias, head, card)


def _unwrapped(content: Any) -> dict[str, Tensor]:
    """The state dict in what a training script saved, by the network's own names; empty where there is none."""
    while isinstance(content, Mapping) and (nest := next((name for name in NESTS if isinstance(content.get(name), Mapping)), None)):
        content = content[nest]
    if not isinstance(content, Mapping):
        return {}
    state = {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    bare = weights.unprefixed(state)
    while bare and (script := next((word for word in SCRIPTS if all(name.startswith(word) for name in bare)), None)):
        bare = weights.unprefixed({name.removeprefix(script): tensor for name, tensor in bare.items()})
    if "head.linear.weight" in bare and any(name.startswith("backbone.") for name in bare):  # a detector of ours
        return {name.removeprefix("backbone."): tensor for name, tensor in bare.items() if not name.startswith("head.phi.")}
    return bare


def _head(state: Mapping[str, Tensor]) -> str | None:
    """The classifier's name: of the matrices with such a name the outermost, and of those the last."""

    def place(name: str) -> tuple[int, list[int]]:
        return -name.count("."), [int(number) for number in re.findall(r"\d+", name)]

    found = [name for name, tensor in state.items() if HEAD.fullmatch(name) and tensor.ndim >= 2 and tensor[0, 0].numel() == 1]
    return max(found, key=place).removesuffix(".weight") if found else None


def _more(card: Card, content: Mapping[str, Any]) -> Card:
    """The card with what a training script saved beside the state dict: the network's name, the classes."""
    arch = content.get("arch")
    if card.backbone is None and isinstance(arch, str) and timm.is_model(arch):
        card = replace(card, backbone=arch)
    names = next((content[key] for key in CLASS_NAMES if content.get(key)), None)
    if isinstance(names, Mapping):  # class_to_idx
        numbers = dict(names)
        names = sorted(numbers, key=lambda name: numbers[name])
    if card.classes is None and isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        card = replace(card, classes=tuple(names))
    return card
