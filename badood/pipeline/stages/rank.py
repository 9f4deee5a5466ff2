"""How well each scorer tells ID from OOD on held-out images, under the first detector: which one to calibrate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from badood.config import Calibrate, Config
from badood.core.artefacts import write_json
from badood.detect.scorers import named
from badood.evaluate.metrics import ood_metrics
from badood.pipeline.artefacts import AUTO, Images, Ranked, Trained
from badood.pipeline.raw_score import anomaly, fit_scorers
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.detect import seeing


def candidates(cfg: Config) -> list[str | dict[str, Any]]:
    """The energy, what is calibrated, and the run's baseline scorers, each once."""
    entries = ["energy", *([] if cfg.calibrate.score == AUTO else [cfg.calibrate.score]), *cfg.evaluate.scorers]
    return list({named(entry)[0]: entry for entry in reversed(entries)}.values())[::-1]


def settled(cfg: Calibrate, ranked: Ranked) -> Calibrate:
    """The settings with a scorer in the place of `auto`."""
    return cfg.model_copy(update={"score": ranked.calibrated(cfg.score)["entry"]})


@stage("rank", version=2, result=Ranked)
def rank(
    out: Path,
    scorers: Sequence[str | dict[str, Any]],
    fit_images: int,
    trained: Trained,
    train: Images,
    validation: Images,
    auxiliary: Images,
    ctx: Context,
) -> None:
    """`ranked.json`: an entry a scorer, in the given order: entry as in the settings, name of its column, metrics of ID validation against auxiliary.

    All learn from training images alone: validation images judge them.
    """
    see = seeing(trained, ctx)
    made = [(entry, *named(entry)) for entry in scorers]
    fit_scorers([scorer for *_, scorer in made], see, train, None, fit_images)
    of_id, of_ood = see(validation.pixels), see(auxiliary.pixels)
    found = []
    for entry, name, scorer in made:
        found.append({"entry": entry, "name": name, **ood_metrics(anomaly(scorer, of_id), anomaly(scorer, of_ood))})
    write_json(out / "ranked.json", found)
