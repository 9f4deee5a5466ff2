"""A JupyterLab with a headless Chromium in front of it, for the widget."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.tools.browsing import CHECKOUT, await_answer, free_port

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@contextmanager
def laboratory(folder: Path, *cells: str, dark: bool = False) -> Iterator[str]:
    """A JupyterLab that shows a notebook of these cells: its address. All it writes lies in `folder`, which must be empty."""
    drawn = [_cell(number, text) for number, text in enumerate(cells)]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": _KERNEL}, "cells": drawn}
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "shown.ipynb").write_text(json.dumps(notebook))
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}))
    own = {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    own |= {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    environment = os.environ | own | {"PYTHONPATH": str(CHECKOUT)}
    port = free_port()
    options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={work}"]
    with (folder / "jupyter.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log)
    try:
        await_answer(f"http://127.0.0.1:{port}/api", process, folder / "jupyter.log")
        yield f"http://127.0.0.1:{port}/doc/tree/shown.ipynb"
    finally:
        process.terminate()
        process.wait(30)


def run_cell(page: Page, url: str) -> None:
    """Open a laboratory's address and run its first cell, once the kernel waits."""
    page.goto(url)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")


def _cell(number: int, text: str) -> dict[str, object]:
    return {"id": f"cell{number}", "cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text}
