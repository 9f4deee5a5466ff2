"""Questions to a finished run: scores of any images, metrics against any OOD images. Nothing is trained, and nothing is written into the run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from badood.config import Source
from badood.core.errors import BadInput
from badood.data.anywhere import source_of
from badood.data.record import ImageSet
from badood.data.splits import load
from badood.pipeline.filter_rows import FilterRow
from badood.pipeline.judge import ID_SET, Judge, summary
from badood.pipeline.notices import of_ood
from badood.pipeline.opened import chosen_row, judge_of, recorded
from badood.pipeline.runs import Run, open_run


@dataclass(frozen=True)
class Scored:
    """Scores of images.

    Attributes:
        filter: the row of the filter table whose detector answered. told: a sentence on which one, and how it was chosen.
        table: a row an image: image, predicted (class name), energy (nats), id_confidence, anomaly. skipped: what was left out.
    """

    filter: str
    told: str
    table: pd.DataFrame
    skipped: list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """Metrics against OOD images.

    Attributes:
        run: id. ood: number of images by set. rows: as the filter table has them, by filter. told: which detectors.
        notices: what makes the figures say little. skipped: what was left out.
    """

    run: str
    ood: dict[str, int]
    rows: dict[str, FilterRow]
    told: str
    notices: list[str]
    skipped: list[dict[str, Any]]


def score(run: Run | str, path: Path | str, filter: str | None = None) -> Scored:
    """id_confidence and energy of any images under a detector of a run.

    Args:
        run: a finished run, its id or folder. path: folder or parquet file of images.
        filter: row of the filter table; none = the one that validation data choose.

    Raises:
        BadInput: the run has no such detector, or nothing at the path can be read.
    """
    opened = _done(run)
    row = chosen_row(opened, filter)
    images = load(source_of(Path(path), holdout=0), None)
    judge = judge_of(opened, row)
    classes = recorded(opened).sets.train.classes
    seen = judge.scores(images, opened.cfg.data.image_size)
    table = seen[["energy", "id_confidence"]].assign(anomaly=1 - seen["id_confidence"])
    table.insert(0, "predicted", [classes[place] for place in seen["predicted"]])
    table.insert(0, "image", list(images.ids))
    return Scored(row.name, _told(row, filter), table, _skipped({"images": images}))


def evaluate(run: Run | str, paths: Sequence[Path | str], filter: str | None = None, *, every: bool = False) -> Asked:
    """A run's detector against any OOD images.

    Args:
        paths: folders or parquet files of OOD images. filter: as for `score`. every: all detectors of the run.

    Raises:
        BadInput: as `score`.
    """
    opened = _done(run)
    rows = [row for row in opened.rows.values() if not row.empty] if every else [chosen_row(opened, filter)]
    sets = {name: load(source, None) for name, source in named_sources(paths).items()}
    found = recorded(opened)
    answers: dict[str, FilterRow] = {}
    for row in rows:
        judge = judge_of(opened, row, scorers=True)
        tables = [
            _scores(judge, found.sets.test.as_set(), opened, ID_SET),
            *(_scores(judge, images, opened, name) for name, images in sets.items()),
        ]
        answers[row.name] = replace(row, **summary(pd.concat(tables, ignore_index=True)))
    told = "every detector of the run" if every else _told(rows[0], filter)
    notices = of_ood(found.sets.train.classes, sets)
    return Asked(opened.id, {name: len(images) for name, images in sets.items()}, answers, told, notices, _skipped(sets))


def _scores(judge: Judge, images: ImageSet, run: Run, name: str) -> pd.DataFrame:
    return judge.scores(images, run.cfg.data.image_size).assign(set=name)


def _done(run: Run | str) -> Run:
    opened = run if isinstance(run, Run) else open_run(run)
    state = opened.record["state"]
    if state != "done":
        raise BadInput(f"run {opened.id} has no detectors to ask yet (state: {state}); finish it by the command that began it.")
    return opened


def _told(row: FilterRow, asked: str | None) -> str:
    how = "as asked" if asked else "the one that validation data choose; --filter names another"
    return f"detector of the filter {row.name} ({how})"


def named_sources(paths: Sequence[Path | str]) -> dict[str, Source]:
    """The sources by the shortest ends of their paths that tell them apart."""
    places = [Path(path).expanduser().resolve() for path in paths]
    names: list[str] = []
    for depth in range(2, max((len(place.parts) for place in places), default=1) + 1):
        names = ["/".join(place.parts[-depth:]).lstrip("/") or "/" for place in places]
        if len(set(names)) == len(set(places)):
            break
    if len(set(places)) < len(places):
        raise BadInput(f"{next(p for p in places if places.count(p) > 1)} is given twice; give each set of OOD images once.")
    return {name: source_of(place, holdout=0) for name, place in zip(names, places, strict=True)}


def _skipped(sets: dict[str, ImageSet]) -> list[dict[str, Any]]:
    return [
        {"set": name, "path": entry.path, "reason": entry.reason, "count": entry.count}
        for name, images in sets.items()
        for entry in images.skipped
    ]
