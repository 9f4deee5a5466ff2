"""One of a preset's models, trained."""

from collections.abc import Mapping
from typing import Any

from badood.core.progress import Progress
from badood.jobs.kinds import job_kind


@job_kind("train")
def train(arguments: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Train and write the weights.

    Args:
        arguments: config (resolved settings), model (encoder, rdm, tokenizer, mage or clip).
    """
    from badood.config import validate
    from badood.pipeline.train import train_model

    return {"weights": str(train_model(validate(arguments["config"]), arguments["model"], progress))}
