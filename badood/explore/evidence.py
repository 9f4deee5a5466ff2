"""What experiments of this checkout found, for pages that rest on it."""

from badood.core.artefacts import read_json
from badood.core.places import checkout
from badood.evaluate.agreement import Agreement


def preview_worth(preset: str) -> Agreement | None:
    """How well previews rank bands by a full retrain's AUROC on test images, as `experiment --previews` measured it; none where it was not."""
    top = checkout()
    path = None if top is None else top / "results" / f"previews-{preset}.json"
    return Agreement(**read_json(path)["agreements"]["auroc"]) if path is not None and path.is_file() else None
