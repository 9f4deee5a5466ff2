"""A run's outliers in a notebook: the dashboard's grid under a histogram whose band one moves, with a retrain in the background.

Works wherever Jupyter widgets do: Jupyter, VS Code, Colab. Source of the frame: anywidget.
"""

import atexit
import json
import threading
import uuid
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from badood.config import Filter
from badood.core.errors import BadInput
from badood.data.images import png
from badood.explore.figures.style import GROUP_COLOURS, TYPE_COLOURS, source_colours
from badood.explore.finished import Finished
from badood.explore.gallery import CSS, HTML, JS, Addresses, Heard, Looks, Shown, acts, paged, tiles, write
from badood.explore.queries import Filters
from badood.jobs import queue
from badood.jobs.beside import dismiss_worker, ensure_worker
from badood.jobs.told import stage, title
from badood.pipeline.runs import open_run
from badood.store import jobs, open_database, verdicts

_SIZE = 24
"""Outliers a page. A notebook has no server for images: those of three pages travel with the widget."""

_BINS = 60
_SIDE = 96
_LOOK_SECONDS = 0.5
"""Between two looks at a job."""

_FOLDER = Path(__file__).parent
_WIDGET_JS, _WIDGET_CSS = ((_FOLDER / f"widget.{kind}").read_text() for kind in ("js", "css"))

atexit.register(dismiss_worker)  # once: a second signal would cut off what the first lets it finish


class Gallery(anywidget.AnyWidget):
    """The outliers of a run that lie in the band, to be judged by button or key; made by `run.show()`.

    Verdicts go into the database that the dashboard uses. Retrain hands a job to a worker process, as the dashboard does, so the notebook stays
    free and a retrain outlives it.

    Attributes:
        band: lo and hi of id_confidence, in [0, 1]; moved by either side. told: what stands under the histogram.
        histogram, grid, images: what is drawn. Images are data URLs by the names that the grid's tiles carry.
    """

    _esm = f"{JS}\nconst HTML = {json.dumps(HTML)};\n{_WIDGET_JS}"
    _css = f"{CSS}\n{_WIDGET_CSS}"

    band = traitlets.List(traitlets.Float()).tag(sync=True)
    histogram = traitlets.Dict().tag(sync=True)
    grid = traitlets.Dict().tag(sync=True)
    images = traitlets.Dict().tag(sync=True)
    told = traitlets.Dict().tag(sync=True)

    def __init__(
        self, found: Finished, band: tuple[float, float], *, sort: str, descending: bool, sources: Sequence[str], who: str
    ) -> None:
        self._found, self._who, self._sources = found, who, tuple(sources)
        self._sort, self._descending = sort, descending
        self._page, self._alone = 1, False
        self._heard = Heard(shelf=f"badood {uuid.uuid4().hex}", browser=uuid.uuid4().hex, heard=0, written=[])
        self._job: int | None = None
        super().__init__(band=list(band), histogram=_histogram(found, self._sources))
        self._draw()
        self._tell()
        self.observe(self._moved, "band")
        self.on_msg(self._said)

    def __repr__(self) -> str:
        return f"<badood gallery of run {self._found.run.id}, band {self.band[0]:g} to {self.band[1]:g}>"

    @property
    def filter(self) -> Filter:
        """What the band keeps, as `run.filtered` takes it."""
        return Filter(strategy="band", lo=self.band[0], hi=self.band[1], sources=list(self._sources))

    def retrain(self) -> None:
        """Hand in a retrain on what the band keeps; at once. Its row appears under the histogram and in `run.table`.

        Raises:
            BadInput: one that was handed in here is not over.
        """
        if self._job is not None:
            raise BadInput(f"job {self._job} of this gallery is not over; wait for it, or cancel it.")
        ensure_worker()
        arguments = {"run": str(self._found.run.folder), "filter": self.filter.model_dump()}
        self._job = queue.submit("retrain", arguments, self._found.run.id).id
        threading.Thread(target=self._watch, args=(self._job,), daemon=True).start()

    def cancel(self) -> None:
        """End the retrain that was handed in here; nothing where there is none."""
        if self._job is not None:
            queue.cancel(self._job)

    def _moved(self, _: object) -> None:
        self._page = 1
        self._draw()
        self._tell()

    def _said(self, _: object, message: Mapping[str, Any], __: object) -> None:
        """What a person did in the browser."""
        try:
            if "told" in message:
                self._hear(message["told"])
            elif message.get("do") == "retrain":
                self.retrain()
            elif message.get("do") == "cancel":
                self.cancel()
        except BadInput as error:
            self.told = self.told | {"ended": str(error)}

    def _hear(self, told: Mapping[str, Any]) -> None:
        done = acts(told)
        self._heard = Heard(
            shelf=self._heard.shelf, browser=str(told["browser"]), heard=told["at"], written=[each["id"] for each in told["acts"]]
        )
        self._page = int(told["page"] or self._page)
        if told["asked"] is not None:  # the one thing to ask here: large, or not
            self._alone = not self._alone
        try:
            for act in done:
                write(act, self._found, who=self._who, browser=self._heard.browser)
        finally:
            self._draw()

    @property
    def _filters(self) -> Filters:
        inside = (self.band[0], self.band[1]) if self._found.scored else None
        return Filters(id_confidence=inside, source=self._sources)

    def _draw(self) -> None:
        found, filters = self._found, self._filters
        count = found.outliers.count(filters)
        last = max(1, ceil(count / _SIZE))
        self._page = min(max(1, self._page), last)
        first = max(1, self._page - 1)
        rows = found.outliers.page(
            filters, sort=self._sort, descending=self._descending, offset=(first - 1) * _SIZE, limit=(self._page + 2 - first) * _SIZE
        )
        given = verdicts.current(open_database(), found.run.id)
        tints = TYPE_COLOURS if found.scored else source_colours(found.sources) if len(found.sources) > 1 else {}
        looks = Looks(anchors=False, alone=self._alone, side=_SIDE, group=None, tints=tints)
        marked = self._sort if self._sort == "harm" else "id_confidence"
        drawn = tiles(rows, given, looks, Addresses("outlier-{}".format, "id-{}".format), marked=marked)
        self._load([tile.id for tile in drawn], [int(each.url.removeprefix("id-")) for tile in drawn for each in tile.beside])
        shown = Shown(
            near=paged(drawn, first, _SIZE),
            run=found.run.id,
            page=self._page,
            last=last,
            kinds=looks.tints,
            marks=marked,
            alone=looks.alone,
            side=looks.side,
            size=_SIZE,
            count=count,
            staying=None,
            undoable=self._who in set(given["who"]),
            asks=["open"],
        )
        self.grid = asdict(shown) | asdict(self._heard)

    def _load(self, outliers: Sequence[int], training: Sequence[int]) -> None:
        """Have the images of these pages at hand, and no others."""
        wanted = {f"outlier-{number}": number for number in outliers} | ({f"id-{row}": row for row in training} if self._alone else {})
        images = {name: url for name, url in self.images.items() if name in wanted}
        fresh = [number for number in outliers if f"outlier-{number}" not in images]
        images |= {f"outlier-{number}": _url(data) for number, data in self._found.outliers.images(fresh).items()}
        if self._alone:
            rows = sorted({row for row in training if f"id-{row}" not in images})
            images |= {f"id-{row}": _url(png(pixels)) for row, pixels in zip(rows, self._found.train.pixels.array(rows), strict=True)}
        self.images = images

    def _tell(self, **more: Any) -> None:
        found, filters = self._found, self._filters
        rows = found.filters()[["filter", "kept", "fpr95", "auroc"]].to_json(orient="records")
        self.told = {
            "kept": self.grid["count"],
            "of": found.outliers.count(Filters(source=self._sources)),
            "overlap": found.overlap(filters) if found.scored else None,
            "rows": json.loads(rows),
            "job": None,
            "ended": "",
        } | more

    def _watch(self, job_id: int) -> None:
        """Say how far a job is until it is over; what it made is read anew then."""
        store, pause = open_database(), threading.Event()
        while (job := jobs.get(store, job_id)).state in jobs.OPEN:
            told = "waits for its turn" if job.state == "queued" else stage(job)
            share = (job.step or 0) / job.total if job.total else 0.0
            self.told = self.told | {"job": {"text": f"{title(job)}: {told}", "share": share}, "ended": ""}
            pause.wait(_LOOK_SECONDS)
        self._job = None
        self._found = Finished(open_run(self._found.run.folder))
        self._tell(ended="" if job.state == "done" else f"{title(job)} {job.state}: {job.error or 'nothing of it is lost'}")


def _histogram(found: Finished, sources: tuple[str, ...]) -> dict[str, Any]:
    """Shares in percent of each group by bin, over the part of id_confidence to show; nothing of a run without confidences."""
    if not found.scored:
        return {}
    scale = found.fitting_scale
    groups = found.confidence_groups(source=sources)
    bars = {
        name: {
            "colour": GROUP_COLOURS[name],
            "count": len(values),
            "shares": (100 * np.histogram(values, bins=_BINS, range=(scale.lo, scale.hi))[0] / max(1, len(values))).round(3).tolist(),
        }
        for name, values in groups.items()
    }
    return {"lo": scale.lo, "hi": scale.hi, "step": scale.step, "digits": scale.digits, "groups": bars}


def _url(data: bytes) -> str:
    return f"data:image/png;base64,{b64encode(data).decode()}"
