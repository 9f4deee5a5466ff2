"""Experiments that grow seed by seed: what a results file holds of the same settings and weights is not measured again."""

from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from badood.config import Config
from badood.core.artefacts import digest, read_json
from badood.core.errors import BadInput
from badood.pipeline.artefacts.detectors import AUTO
from badood.pipeline.models import LOADABLE, MODELS, Models
from badood.pipeline.preflight import needed
from badood.pipeline.runs import asked


def plain(cfg: Config) -> Config:
    """The settings without baseline scorers, as the tables of experiments are of our score alone; those that may become it stay."""
    return cfg if cfg.calibrate.score == AUTO else cfg.model_copy(update={"evaluate": cfg.evaluate.model_copy(update={"scorers": []})})


def lean(cfg: Config) -> Config:
    """The settings of benchmarks: `plain`; OOD sets whose files are missing are left out, and harm, of which no table speaks, is checked by the
    fewest retrains."""
    cfg = plain(cfg)
    ood = [source.model_copy(update={"optional": True}) for source in cfg.data.ood]
    parts = {
        "data": cfg.data.model_copy(update={"ood": ood, "grid": None}),
        "evaluate": cfg.evaluate.model_copy(update={"harm_subsets": 4}),
    }
    return cfg.model_copy(update=parts)


def experiment_key(cfg: Config) -> str:
    """Of all settings and weights that decide an experiment's figures, wherever the ID images lie.

    Changes of code or of the images it does not see: measure anew after one that matters.
    """
    settings, used = asked(plain(cfg)), {*MODELS, *needed(cfg)}
    for part in ("train", "test"):
        settings["data"][part].pop("path")
    for other in set(LOADABLE) - used:
        settings.pop(other)
    return digest(settings, Models(cfg).only(*used).key)


def measured(path: Path, cfg: Config) -> dict[str, pd.DataFrame]:
    """By name the tables of a results file, where it is of the same settings and weights; empty else.

    Raises:
        BadInput: the file is no results file.
    """
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds no experiment's results; move it away.")
    if content.get("key") != experiment_key(cfg):
        return {}
    return {name: pd.DataFrame(value) for name, value in content.items() if isinstance(value, list)}


def missing(seeds: int, *tables: pd.DataFrame) -> list[int]:
    """The seeds from 0 on that one of the tables lacks."""
    have = [set(table["seed"]) if len(table) else set() for table in tables]
    return [seed for seed in range(seeds) if not all(seed in those for those in have)]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as a results file has them: what is not a number is none, which JSON can say."""

    def known(value: Any) -> Any:
        return None if isinstance(value, float) and not isfinite(value) else value

    return [{str(name): known(value) for name, value in row.items()} for row in table.to_dict("records")]
