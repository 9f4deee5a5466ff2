"""Settings that differ from a preset's: one source of outliers, another network, a part of the ID images."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from badood.config import Config, Outliers, Source
from badood.outliers import outlier_source
from badood.synthesise import synthesiser

EMBEDDED = "embedded"


def every_source(cfg: Config) -> dict[str, Outliers]:
    """The preset's own sources of outliers, every synthesiser at its default scale, and every other registered source, by name."""
    others = {name: Outliers(name=name, source=name, count=cfg.synthesise.count) for name in outlier_source if name != EMBEDDED}
    return synthesisers(cfg) | others | {entry.name: entry for entry in cfg.outliers}


def synthesisers(cfg: Config) -> dict[str, Outliers]:
    """The preset's own sources that a synthesiser makes, and every other synthesiser at its default scale, by name."""
    return {name: _embedded(cfg, name) for name in synthesiser} | {entry.name: entry for entry in cfg.outliers if entry.source == EMBEDDED}


def _embedded(cfg: Config, method: str) -> Outliers:
    default = next(field.default for field in fields(synthesiser[method]) if field.name == "scale")
    scales = cfg.synthesise.scales if default is MISSING else [default]
    return Outliers(name=method, source=EMBEDDED, params={"method": method, "scales": scales, "params": {}})


def alone(cfg: Config, entry: Outliers) -> Config:
    """One source of outliers in the place of all."""
    return cfg.model_copy(update={"outliers": [entry]})


def each_alone(cfg: Config, entries: Mapping[str, Outliers]) -> dict[str, Config]:
    """By name the settings with that source alone."""
    return {name: alone(cfg, entry) for name, entry in entries.items()}


def from_scratch(cfg: Config, **settings: Any) -> Config:
    """Detectors from random weights, with other settings where given: weights of the preset's fit neither other networks nor other classes."""
    return cfg.model_copy(update={"detector": cfg.detector.model_copy(update={"mode": "scratch", "weights": None, **settings})})


def part_of(source: Source, **params: Any) -> Source:
    """Some classes or images of a source; `params` are those of the data set "part"."""
    return source.model_copy(update={"dataset": "part", "params": {"of": source.dataset, "params": source.params, **params}})
