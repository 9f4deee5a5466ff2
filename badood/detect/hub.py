"""Where given weights lie, and what their publisher says of them: a file, a folder in timm's layout, or a name to fetch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from badood.core import places
from badood.core.errors import BadWeights
from badood.core.weights import plain

Channels = tuple[float, float, float]
FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of weights in a folder that timm or transformers pushed to a hub."""


@dataclass(frozen=True)
class Card:
    """What stands beside weights; all of it may be unknown.

    Attributes:
        backbone: a name for `detector.backbone`. params: its arguments.
        classes: names in the order of the logits.
        mean, std: of the normalisation. image_size: in px.
    """

    backbone: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    mean: Channels | None = None
    std: Channels | None = None
    image_size: int | None = None


def locate(weights: str) -> tuple[Path, Card]:
    """The file of given weights, fetched where they are a name, and its card.

    Args:
        weights: as `detector.weights`.

    Raises:
        BadWeights: there is no such file or name, or it cannot be fetched.
    """
    scheme, colon, name = weights.partition(":")
    if colon and scheme in SCHEMES:
        return SCHEMES[scheme](name)
    path = Path(weights).expanduser()
    if not path.exists():
        path = places.placed(path)  # a preset's own
    if path.is_dir():
        found = next((path / name for name in FILES if (path / name).is_file()), None)
        if found is None:
            raise BadWeights(f"folder {path} holds neither {' nor '.join(FILES)}; give the weights file itself.")
        path = found
    if not path.is_file():
        raise BadWeights(
            f"detector.weights: there is no file {plain(weights)!r}; give the path of one, or a name: {', '.join(f'{s}:NAME' for s in SCHEMES)}."
        )
    beside = path.with_name("config.json")
    return path, read_card(beside) if path.name in FILES and beside.is_file() else Card()


def read_card(path: Path) -> Card:
    """The card in a `config.json` as timm writes it.

    Raises:
        BadWeights: it is no JSON, or it is of a network that timm does not have.
    """
    try:
        said = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise BadWeights(f"{path} beside the weights is no JSON ({plain(str(error))}); fetch it again or take it away.") from error
    if not isinstance(said, dict) or not isinstance(said.get("architecture"), str):
        kind = said.get("architectures", "no architecture") if isinstance(said, dict) else type(said).__name__
        raise BadWeights(
            f"{path} names no architecture of timm but {kind}; take weights in timm's layout, or give the file alone elsewhere."
        )
    try:
        return _card(said)
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        raise BadWeights(
            f"{path} beside the weights is not as timm writes it ({plain(str(error))}); fetch it again or take it away."
        ) from error


def _card(said: Mapping[str, Any]) -> Card:
    """The card of what timm writes; whatever error else."""
    how = said.get("pretrained_cfg") or {}
    names = said.get("label_names") or how.get("label_names")
    if isinstance(names, dict):  # by number
        names = [names[key] for key in sorted(names, key=int)]
    size = how.get("input_size")
    return Card(
        said["architecture"],
        {name: value for name, value in (said.get("model_args") or {}).items() if name != "num_classes"},  # the classifier is ours
        tuple(map(str, names)) if names else None,
        _channels(how.get("mean")),
        _channels(how.get("std")),
        int(size[-1]) if size else None,
    )


def _channels(values: Any) -> Channels | None:
    return (float(values[0]), float(values[1]), float(values[2])) if isinstance(values, list | tuple) and len(values) == 3 else None


def _hub(repository: str) -> tuple[Path, Card]:
    """Weights and card of a repository of the Hugging Face hub, from the cache where they are there."""
    repository, _, revision = repository.partition("@")
    try:
        card = hf_hub_download(repository, "config.json", revision=revision or None)
        for name in FILES:
            try:
                return Path(hf_hub_download(repository, name, revision=revision or None)), read_card(Path(card))
            except EntryNotFoundError:
                continue
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise BadWeights(
            f"hf_hub:{plain(repository)} cannot be fetched ({_short(error)}); check the name and the network, or give a file."
        ) from error
    raise BadWeights(f"hf_hub:{repository} holds neither {' nor '.join(FILES)}; give a file.")


def _timm(name: str) -> tuple[Path, Card]:
    """Weights that timm publishes: model and tag."""
    try:
        said = timm.get_pretrained_cfg(name)
    except RuntimeError:  # the model is known, the tag is not
        said = None
    if said is None or not said.hf_hub_id:
        near = ", ".join(timm.list_pretrained(f"*{name.partition('.')[0]}*")[:5]) or "see timm.list_pretrained()"
        raise BadWeights(f"timm:{plain(name)} names no weights that timm publishes on the hub; near it: {near}.")
    return _hub(said.hf_hub_id)


def _torchvision(name: str) -> tuple[Path, Card]:
    """Weights that torchvision publishes: model, and after a dot which of several."""
    model, _, tag = name.partition(".")
    try:
        several = torchvision.models.get_model_weights(model)
        chosen = several[tag] if tag else several.DEFAULT
    except (ValueError, KeyError) as error:
        raise BadWeights(f"torchvision:{plain(name)} names no weights of torchvision; write it as torchvision:resnet50.") from error
    path = Path(torch.hub.get_dir()) / "checkpoints" / chosen.url.rpartition("/")[2]
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(chosen.url, str(path), path.stem.rpartition("-")[2], progress=False)
    except (OSError, RuntimeError) as error:
        raise BadWeights(
            f"torchvision:{name} cannot be fetched from {chosen.url} ({_short(error)}); check the network, or give a file."
        ) from error
    how = chosen.transforms()
    size = how.crop_size[0]
    return path, Card(f"torchvision/{model}", {}, tuple(chosen.meta["categories"]), _channels(how.mean), _channels(how.std), size)


def _short(error: Exception) -> str:
    return (plain(str(error)).strip().splitlines() or [type(error).__name__])[0][:200]


SCHEMES: dict[str, Callable[[str], tuple[Path, Card]]] = {"timm": _timm, "hf_hub": _hub, "torchvision": _torchvision}
"""Before the colon of a name; see `config.Detector.weights`."""
