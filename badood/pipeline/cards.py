"""The cards beside weights files: what a model was trained on, and to which other models it belongs.

The RDM, MAGE and its rivals learn from one encoder's z0, all but the RDM also from one tokenizer. With another one of equal sizes they
would be fed what they never saw, and nothing but the figures would tell.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from badood.config import Config, weights_path
from badood.core.artefacts import read_json
from badood.core.errors import BadInput, BadWeights
from badood.pipeline.models import Loadable, Model, Trainable, clip_weights, weights_key

BELONGS: Mapping[Trainable, tuple[Model, ...]] = {
    "rdm": ("encoder",),
    **dict.fromkeys(("mage", "dit", "ldm"), ("encoder", "tokenizer")),
}
"""By model those that it was trained on; its card names the key of each one's weights."""


def card_path(weights: Path) -> Path:
    """Where the card of a weights file lies."""
    return weights.with_suffix(".json")


def card_of(cfg: Config, model: Trainable) -> dict[str, Any] | None:
    """The card of a model's weights; none where they have none, as foreign ones do.

    Raises:
        BadWeights: the card beside the file speaks of another file, or is no card.
    """
    weights = clip_weights(cfg) if model == "clip" else weights_path(cfg, model)
    if isinstance(weights, str) or not weights.is_file() or not card_path(weights).is_file():
        return None
    place = card_path(weights)
    try:
        card = read_json(place)
    except BadInput as error:
        raise BadWeights(f"the card of {weights} cannot be read: {error}") from error
    if not isinstance(card, dict):
        raise BadWeights(
            f"{place} is no card of weights: expected a JSON object; remove it, or bring the one that came with {weights.name}."
        )
    if card.get("key") not in (None, weights_key(cfg, model)):
        raise BadWeights(
            f"{place} is the card of another file than {weights}, which was replaced without it; bring the card that belongs to the file, or "
            "remove this one."
        )
    return card


def check_cards(cfg: Config, models: tuple[Loadable, ...]) -> None:
    """Whether models belong together, as their cards say; what has no card is taken as it is.

    Args:
        models: those that are used together.

    Raises:
        BadWeights: one was trained on another encoder or tokenizer than the settings name.
    """
    for model in models:
        for other in BELONGS.get(model, ()):
            card = card_of(cfg, model) if other in models else None
            if card is not None and card.get(other) not in (None, weights_key(cfg, other)):
                raise BadWeights(
                    f"{weights_path(cfg, model)} does not belong to {weights_path(cfg, other)}: its card names {other} {card[other]}, and this is "
                    f"{weights_key(cfg, other)}. Take both from one folder ({model}.weights, {other}.weights), or train {model} again for this "
                    f"{other}: `badood train {model}`."
                )


def belongs_to(cfg: Config, model: Trainable) -> dict[str, str]:
    """What a card says of the models that this one is trained on: their keys by name."""
    return {other: weights_key(cfg, other) for other in BELONGS.get(model, ())}


def trained_on(cfg: Config) -> str | None:
    """What the encoder was trained on, such as "cifar10/train"; none where no card says it."""
    card = card_of(cfg, "encoder")
    return None if card is None else str(card.get("data", "")) or None
