"""Pages of the site that lie elsewhere in the repository: what was measured; and links to files that are no pages."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_TOP = Path(__file__).parents[1]
_SHOWN = {".md", ".svg", ".png", ".json", ".csv", ".webp"}
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+(?!results/|assets/screenshots/)[^)]+)\)")
"""A link that leads out of docs and results: to code or weights, which the site does not hold."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures of results, and the screenshots."""
    for path in sorted([*(_TOP / "results").rglob("*"), *(_TOP / "assets" / "screenshots").iterdir()]):
        if path.is_file() and path.suffix in _SHOWN:
            files.append(File.generated(config, str(path.relative_to(_TOP)), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links between docs and results as the site lays them out; to code as plain names."""
    inside = page.file.src_uri.startswith("results/")
    text = _OUTSIDE.sub(lambda link: _named(link, inside=inside), markdown)
    return text if inside else text.replace("](../results/", "](results/").replace("](../assets/", "](assets/")


def _named(link: re.Match[str], *, inside: bool) -> str:
    """A link to docs stays one; a file of the repository is named."""
    label, target = link[1], link[2]
    if inside and target.startswith("../docs/"):
        return f"[{label}](../{target.removeprefix('../docs/')})"
    return label if label.startswith("`") else f"`{target.lstrip('./')}`"
