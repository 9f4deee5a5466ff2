"""One of a preset's models, or all five for images of one's own, trained."""

from collections.abc import Mapping
from typing import Any

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind


@job_kind("train")
def train(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Train and write the weights. Weights that lie in the place are kept.

    Args:
        arguments: model (encoder, rdm, tokenizer, mage, clip or all); for one model config (resolved settings), for all of them data (path of
            the images), and what else `recipe.Wish` has: dataset, name, size, start, minutes, settings.
    """
    from pathlib import Path

    from badood.config import validate
    from badood.pipeline.own_models import apart
    from badood.pipeline.train import train_model
    from badood.pipeline.train_all import begin_all, train_all
    from badood.pipeline.wish import Wish

    if arguments["model"] != "all":
        return {"weights": str(train_model(apart(validate(arguments["config"])), arguments["model"], progress))}
    wanted = {key: arguments[key] for key in ("dataset", "name", "size", "start", "minutes") if arguments.get(key) is not None}
    wish = Wish(Path(arguments["data"]), settings=tuple(arguments.get("settings", ())), **wanted)
    return train_all(wish, begin_all(wish), progress).to_json()
