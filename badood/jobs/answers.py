"""What the companion process answers, and its loop: `python -m badood.jobs.answers`, started by `jobs.companion`."""

import base64
import json
import traceback
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TextIO

import numpy as np
import pandas as pd
import torch

from badood.config import Filter
from badood.core.artefacts import read_json
from badood.core.errors import BadInput, BadOODError
from badood.core.processes import lines
from badood.data.record import ImageSet
from badood.detect.scorers import scorer
from badood.evaluate.clip import zero_shot
from badood.jobs import lesson
from badood.pipeline import evaluation
from badood.pipeline.method import Method
from badood.pipeline.runs import open_run
from badood.pipeline.table import png


@lru_cache(maxsize=2)
def _method(run: str) -> Method:
    return Method(open_run(run))


def ping() -> str:
    """Nothing, but by then the networks' code is loaded."""
    return "here"


def preview(run: str, filter: dict[str, Any]) -> dict[str, Any]:
    """FPR95, AUROC and AUPR on validation data of a head-only retrain on what a filter keeps; kept, lo, hi, overlap."""
    method = _method(run)
    chosen = method.selection(Filter(**filter))
    figures = method.preview(chosen.kept)
    return figures | {"kept": int(chosen.kept.sum()), "lo": chosen.lo, "hi": chosen.hi, "overlap": chosen.overlap}


def suggest(run: str) -> dict[str, Any]:
    """The auto band: lo, hi, kept, reason."""
    chosen = _method(run).selection(Filter(strategy="auto"))
    return {"lo": chosen.lo, "hi": chosen.hi, "kept": int(chosen.kept.sum()), "reason": chosen.reason}


def walk(run: str, row: int, start: int, scale: float) -> dict[str, Any]:
    """One ID image taken through the method; see `lesson.walk`."""
    return lesson.walk(_method(run), row, start=start, scale=scale)


def recognised(run: str, outlier: int) -> list[tuple[str, float]]:
    """CLIP's five most probable class names for an outlier, with their probabilities."""
    method = _method(run)
    rows = np.flatnonzero(method.embeddings["outlier_id"] == outlier)
    if len(rows) != 1:
        raise BadInput(f"run {run} has no outlier {outlier}; choose among the outlier_id of its outliers.")
    names = read_json(method.types / "tau.json")["vocabulary"]
    pixels = torch.from_numpy(np.load(method.decoded / "images.npy", mmap_mode="r")[rows])
    probabilities = zero_shot(method.models.clip, pixels, names, method.cfg.clip.templates, method.run.compute)
    best = probabilities[0].topk(min(5, len(names)))
    return [(names[place], value) for place, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


def id_image(run: str, numbers: list[int]) -> str:
    """An ID training image by its row, as base64 of a PNG."""
    return _encoded(_method(run), _method(run).images.train, numbers[0])


def grid_image(run: str, numbers: list[int]) -> str:
    """An image of the shift grid by semantic level, covariate level and number in the cell, as base64 of a PNG."""
    method = _method(run)
    grid = method.images.grid
    if grid is None:
        raise BadInput(f"run {run} has no shift grid; name one in data.grid.")
    semantic, covariate, number = numbers
    cell = np.flatnonzero((grid.levels["semantic"] == semantic) & (grid.levels["covariate"] == covariate))
    return _encoded(method, grid, int(cell[number % len(cell)]))


def scorers() -> list[str]:
    """Names of every scorer there is."""
    return list(scorer)


def shift(run: str, detector: str, name: str) -> list[dict[str, Any]]:
    """Rows of the shift table of one scorer, under the detector of a row of the run's filter table."""
    method = _method(run)
    folder = method.run.folder / method.run.record["metrics"][detector]["detector"]
    table = pd.read_parquet(evaluation.shift(method, folder, name) / "shift.parquet")
    return list(json.loads(table.to_json(orient="records", double_precision=15)))


def _encoded(method: Method, images: ImageSet, row: int) -> str:
    pixels = method.images.pixels(images.take(np.array([row])))[0]
    return base64.b64encode(png(pixels.numpy())).decode()


ANSWERS: dict[str, Callable[..., Any]] = {
    "ping": ping,
    "preview": preview,
    "suggest": suggest,
    "walk": walk,
    "recognised": recognised,
    "id_image": id_image,
    "grid_image": grid_image,
    "scorers": scorers,
    "shift": shift,
}


def answer(line: str) -> dict[str, Any]:
    """The reply to one line; an error of the question is part of the reply."""
    message = json.loads(line)
    try:
        return {"answer": ANSWERS[message["question"]](**message["arguments"])}
    except BadOODError as error:
        return {"error": str(error)}
    except Exception as error:  # the process lives on: the next question may be a good one
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def serve(questions: TextIO, replies: TextIO) -> None:
    """Answer until the caller closes its end, as it does when it ends."""
    for line in questions:
        print(json.dumps(answer(line)), file=replies, flush=True)


if __name__ == "__main__":
    serve(*lines())
