"""What a person sees of long work."""

from typing import Any

import pytest
from rich.console import Console

from badood.core.progress import Terminal


def test_a_notebook_shows_one_line_that_goes_when_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Line:
        def update(self, data: dict[str, str], raw: bool) -> None:
            shown.append(data["text/plain"])

    def display(data: dict[str, str], **how: Any) -> Line:
        shown.append(data["text/plain"])
        return Line()

    monkeypatch.setattr("IPython.display.display", display)
    clock = [0.0]
    monkeypatch.setattr("badood.core.progress.time.monotonic", lambda: clock[0])
    terminal = Terminal(Console(force_jupyter=True))
    for step in range(1, 5):
        terminal.update("train", step, 1000, loss=0.5)
        clock[0] += 0.3
    terminal.close()
    assert shown == ["train 1/1,000 loss 0.5", "train 3/1,000 loss 0.5", ""], "twice a second at most"
