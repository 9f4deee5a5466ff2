"""A detector that somebody brings, as settings of a run."""

import json
from pathlib import Path


def given_detector(weights: str | Path | None, mode: str) -> list[str]:
    """Overrides of the settings for given weights, whose network is found out from the file and used as published; further ones may say otherwise.

    Args:
        weights: a file, or timm:NAME, hf_hub:OWNER/NAME, torchvision:NAME; none = no overrides. mode: "tuned" or "as-is".
    """
    if weights is None:
        return []
    path = Path(weights).expanduser()
    place = str(path.resolve()) if path.exists() else str(weights)
    return [
        f"detector.weights={json.dumps(place, ensure_ascii=False)}",
        f"detector.mode={mode}",
        "detector.backbone=auto",
        "detector.backbone_params={}",
        "detector.mirrored=false",
    ]
