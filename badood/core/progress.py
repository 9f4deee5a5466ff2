"""How far a long piece of work is. The work calls `update`; who watches decides what happens with it."""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


def duration(seconds: float) -> str:
    """For people: in seconds, minutes or hours."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress(Protocol):
    """Receives the state of the work."""

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """`step` of `total` of `stage` is done; `figures` are named floats, such as loss=0.31."""


class Silent:
    """Says nothing."""

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Ignore."""


@dataclass
class Terminal:
    """A bar per stage with ETA and figures on standard error; plain lines every ten seconds where that is no terminal; one line in a notebook."""

    console: Console = field(default_factory=lambda: Console(stderr=True))
    _bars: Bars | None = None
    _line: Any = None
    _tasks: dict[str, int] = field(default_factory=dict)
    _spoke: float = 0.0

    def update(self, stage: str, step: int, total: int, **figures: float) -> None:
        """Draw."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if self.console.is_jupyter:
            self._show(f"{stage} {step:,}/{total:,} {text}")
            return
        if not self.console.is_terminal:
            now = time.monotonic()
            if now - self._spoke > (10 if step < total else 1):
                self._spoke = now
                self.console.print(f"{stage} {step:,}/{total:,} {text}", highlight=False)
            return
        if self._bars is None:
            self._bars = Bars(
                TextColumn("{task.description:>12}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
                console=self.console,
            )
            self._bars.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, figures="")
        self._bars.update(self._tasks[stage], completed=step, total=total, figures=text)  # type: ignore[arg-type]

    def _show(self, line: str) -> None:
        """The one line of a notebook's cell, twice a second at most."""
        from IPython.display import display

        if self._line is None:
            self._line = display({"text/plain": line}, raw=True, display_id=True)
        elif time.monotonic() - self._spoke > 0.5:
            self._line.update({"text/plain": line}, raw=True)
        else:
            return
        self._spoke = time.monotonic()

    def close(self) -> None:
        """Leave the terminal, or the notebook, as it was."""
        if self._line is not None:
            self._line.update({"text/plain": ""}, raw=True)
            self._line = None
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()
