"""Where pages of benchmarks lie, for the dashboard; read without torch."""

from pathlib import Path

from badood.core.artefacts import home
from badood.core.places import checkout


def shelf() -> Path:
    """The folder of those that the dashboard makes: `benchmark` in `BADOOD_HOME`."""
    return home() / "benchmark"


def pages() -> dict[str, Path]:
    """By name ("table2-miniworld") the Markdown pages there are, of the checkout's results and of the shelf, whose come first."""
    top = checkout()
    folders = [shelf(), *([] if top is None else [top / "results"])]
    found = [path for folder in folders for path in sorted(folder.glob("*.md")) if path.with_suffix(".csv").is_file()]
    return {path.stem: path for path in reversed(found)}


def picture(page: Path) -> Path | None:
    """The picture of a page, which is named in its last image; none where it is gone."""
    named = [line.rpartition("(")[2].rstrip(")") for line in page.read_text().splitlines() if line.startswith("![")]
    path = page.parent / named[-1] if named else page
    return path if named and path.is_file() else None
