"""Run the notebooks and store what they show, for readers without a kernel or a network: `python -m tests.tools.notebooks [NAME ...]`.

Plotly figures are stored as pictures; in a running notebook they can be zoomed and pointed at.
"""

import argparse
import os
from collections.abc import Iterator
from typing import Any

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import Page
from plotly.offline import get_plotlyjs

from tests.tools.browsing import CHECKOUT, chromium

NOTEBOOKS = CHECKOUT / "notebooks"
PLOTLY = "application/vnd.plotly.v1+json"

_WIDE = 900  # px; a page's text is as wide
_PICTURE = """async ([figure, width]) => {
  const height = (figure.layout && figure.layout.height) || 450;
  return (await Plotly.toImage(figure, {format: "png", width, height, scale: 1.5})).split(",")[1];
}"""


def stored(notebook: nbformat.NotebookNode, page: Page) -> nbformat.NotebookNode:
    """The notebook with pictures in the place of plotly figures, without times and without what shows nothing."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = list(_shown(cell.outputs, page))
    return notebook


def _shown(outputs: list[Any], page: Page) -> Iterator[Any]:
    for output in outputs:
        data = output.get("data", {})
        if PLOTLY in data:
            output["data"] = {"image/png": page.evaluate(_PICTURE, [data[PLOTLY], _WIDE]), "text/plain": "a plotly figure"}
        elif "image/png" in data:
            data.pop("image/jpeg", None)
            data["text/plain"] = "a picture"
        if output.output_type == "stream" or any("".join(text).strip() for text in data.values()):  # else a line of progress that is over
            yield output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="stems of notebooks; none = all, in their order")
    given = parser.parse_args()
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"  # figures as they are, not as pages with a library
    paths = [NOTEBOOKS / f"{name}.ipynb" for name in given.names] or sorted(NOTEBOOKS.glob("*.ipynb"))
    with chromium() as browser:
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        for path in paths:
            notebook = nbformat.read(path, as_version=4)
            NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(path.parent)}}).execute()
            nbformat.write(stored(notebook, page), path)
            print(f"{path.name}: {path.stat().st_size / 2**20:.2f} MB")


if __name__ == "__main__":
    main()
