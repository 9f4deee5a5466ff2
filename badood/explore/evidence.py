"""What experiments of this checkout found, for pages that rest on it."""

from badood.core.artefacts import read_json
from badood.core.places import checkout
from badood.evaluate.agreement import Agreement


def filter_experiment(preset: str) -> str | None:
    """The table of `experiment` for a preset, as Markdown without its figures; none where it was not measured in this checkout."""
    top = checkout()
    path = None if top is None else top / "results" / f"filters-{preset}.md"
    if path is None or not path.is_file():
        return None
    return "\n".join(line for line in path.read_text().splitlines() if not line.startswith("!["))


_IMAGES = {"validation_auroc": "validation images", "auroc": "test images"}


def preview_worth(preset: str) -> dict[str, Agreement]:
    """How well previews rank bands by a full retrain's AUROC, as `experiment --previews` measured it.

    Returns:
        By "validation images" and "test images"; empty where it was not measured.
    """
    top = checkout()
    path = None if top is None else top / "results" / f"previews-{preset}.json"
    if path is None or not path.is_file():
        return {}
    found = read_json(path)["agreements"]
    return {images: Agreement(**found[figure]) for figure, images in _IMAGES.items()}
