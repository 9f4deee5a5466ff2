"""What the companion process answers, and its loop: `python -m badood.jobs.answers`, started by `jobs.companion`."""

import json
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TextIO

import numpy as np

from badood.benchmark.listing import listed
from badood.benchmark.wanted import Wanted
from badood.config import Filter, validate
from badood.core.errors import BadInput, one_line
from badood.core.processes import lines
from badood.detect.scorers import scorer
from badood.evaluate.clip import zero_shot
from badood.evaluate.ood_types import tempered
from badood.filter import Selection
from badood.jobs import lesson
from badood.pipeline.artefacts import Evaluated, Outliers, Trained, Typed
from badood.pipeline.engines import Local
from badood.pipeline.models import Models
from badood.pipeline.opened import chosen_row, recorded
from badood.pipeline.preflight import preflight
from badood.pipeline.recorded import recorded_outliers
from badood.pipeline.results import Results
from badood.pipeline.runs import Run, open_run
from badood.pipeline.stage import Context
from badood.pipeline.stages.evaluate import shift as shift_stage
from badood.pipeline.stages.select import filter_table


@lru_cache(maxsize=4)
def _results(run: str, created: str, results: str) -> tuple[Run, Results]:
    """A run and what it found, kept as long as its record says the same: one that was deleted and made again is another."""
    opened = open_run(run)
    return opened, recorded(opened)


def _opened(run: str) -> tuple[Run, Results]:
    record = open_run(run).record
    return _results(run, str(record["created"]), json.dumps(record["results"], sort_keys=True))


def ping() -> str:
    """Nothing, but by then the networks' code is loaded."""
    return "here"


def preview(run: str, filter: dict[str, Any]) -> dict[str, Any]:
    """FPR95, AUROC and AUPR on validation data of a head-only retrain on what a filter keeps; kept, lo, hi, overlap."""
    opened, found = _opened(run)
    chosen = _selected(opened, found, Filter(**filter))
    figures = found.previews.head_metrics(chosen.kept)
    return {**figures, "kept": int(chosen.kept.sum()), "lo": chosen.lo, "hi": chosen.hi, "overlap": chosen.overlap}


def _selected(run: Run, found: Results, asked: Filter) -> Selection:
    """What a filter keeps; previews take as many threads as the run's settings say."""
    Context(run.cfg.compute).take_threads()
    table = filter_table(found.outliers, found.described, found.confidence, found.harm)
    return found.previews.select(table, asked, found.confidence.validation)


def suggest(run: str, sources: Sequence[str] = ()) -> dict[str, Any]:
    """The auto band, with the run's own count and seed: lo, hi, kept, reason.

    Args:
        sources: of their outliers only; none = of those that the run's filter names.
    """
    opened, found = _opened(run)
    asked = opened.cfg.filter.model_copy(update={"strategy": "auto"} | ({"sources": list(sources)} if sources else {}))
    chosen = _selected(opened, found, asked)
    return {"lo": chosen.lo, "hi": chosen.hi, "kept": int(chosen.kept.sum()), "reason": chosen.reason}


def walk(run: str, row: int, start: int, scale: float) -> dict[str, Any]:
    """One ID image taken through the method; see `lesson.walk`."""
    return lesson.walk(*_opened(run), row, start=start, scale=scale)


def recognised(run: str, outlier: int) -> list[tuple[str, float]]:
    """CLIP's five most probable class names for an outlier, with their probabilities."""
    opened = open_run(run)
    outliers: Outliers = recorded_outliers(opened)
    if not 0 <= outlier < len(outliers):
        raise BadInput(f"run {run} has no outlier {outlier}; its ids go up to {len(outliers) - 1:,}.")
    typed = Typed(opened.folder / opened.record["results"]["types"])
    names = typed.vocabulary
    compute = Context(opened.cfg.compute).compute
    probabilities = zero_shot(_models(run).clip, outliers.pixels[[outlier]], names, opened.cfg.clip.templates, compute)
    likely = tempered(probabilities.numpy(), typed.temperature)[0]
    return [(names[place], float(likely[place])) for place in np.argsort(-likely, kind="stable")[:5]]


@lru_cache(maxsize=2)
def _models(run: str) -> Models:
    return Models(open_run(run).cfg)


def check(config: dict[str, Any], attempt: str = "") -> str:
    """Look up what a run of these settings would need, before it is handed in; an error says what is missing.

    Args:
        config: resolved settings. attempt: tells this question from an earlier one of the same settings, whose answer may be out of date.
    """
    preflight(validate(config))
    return "ready"


def benchmarks(preset: str, data: str | None = None) -> list[dict[str, str]]:
    """What there is to benchmark on a preset, and its state: kind, name, what, needs, state.

    Args:
        data: folder or file of the ID data.
    """
    return [entry.told for entry in listed(Wanted(preset, data))]


def scorers() -> list[list[str]]:
    """Names of every scorer there is, in groups that take about as long: all that read one forward pass, then each that runs the network again."""
    again = [name for name, made in scorer.items() if "images" in made.needs]
    return [[name for name in scorer if name not in again], *([name] for name in again)]


def shift(run: str, detector: str, names: Sequence[str]) -> dict[str, Any]:
    """Scorers on the shift grid, under the detector of a row of the run's filter table.

    Returns:
        rows: of the shift table, from one pass for all. failed: by name why a scorer has none; the others then have a pass each.
    """
    opened, found = _opened(run)
    sets = found.sets
    if sets.grid is None:
        raise BadInput(f"run {run} has no shift grid; name one in data.grid.")
    trained = Trained(opened.folder / chosen_row(opened, detector).detector)
    do = Local(opened, Context(opened.cfg.compute), timed=False)
    inputs = (opened.cfg.evaluate.fit_images, trained, sets.train, sets.validation, sets.test, sets.grid)
    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    waiting = deque([list(names)])
    while waiting:
        together = waiting.popleft()
        try:
            table = Evaluated(do(shift_stage, together, *inputs).folder).shift
        except BadInput as error:
            if len(together) == 1:
                failed[together[0]] = str(error)
            else:
                waiting.extend([name] for name in together)
        else:
            rows += json.loads(table.to_json(orient="records", double_precision=15))
    return {"rows": rows, "failed": failed}


ANSWERS: dict[str, Callable[..., Any]] = {
    "ping": ping,
    "preview": preview,
    "suggest": suggest,
    "walk": walk,
    "recognised": recognised,
    "preflight": check,
    "benchmarks": benchmarks,
    "scorers": scorers,
    "shift": shift,
}


def answer(line: str) -> dict[str, Any]:
    """The reply to one line; an error of the question is part of the reply."""
    message = json.loads(line)
    try:
        return {"answer": ANSWERS[message["question"]](**message["arguments"])}
    except Exception as error:  # the process lives on: the next question may be a good one
        told = one_line(error)
        if told is None:
            traceback.print_exc()
        return {"error": told or f"{type(error).__name__}: {error}"}


def serve(questions: TextIO, replies: TextIO) -> None:
    """Answer until the caller closes its end, as it does when it ends."""
    for line in questions:
        print(json.dumps(answer(line)), file=replies, flush=True)


if __name__ == "__main__":
    serve(*lines())
