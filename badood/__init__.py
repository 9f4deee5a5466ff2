"""Bad-OOD: outliers for out-of-distribution detection: make or import them, find the harmful ones, retrain the detector.

The parts, in the path's order: data, encode, synthesise, decode, outliers, detect, calibrate, filter, evaluate, explore. `pipeline` joins
them; `interface` is what a notebook uses; `config` holds every setting; `benchmark`, `jobs` and `store` serve it; `core` is what all stand
on.

    import badood
    run = badood.run("miniworld", set={"detector.epochs": 2})
    run.outliers                      # a pandas table with id_confidence
    run.retrain(run.band(0.2, 0.5))

Plug-ins of your own are registered by a decorator, in a notebook cell too: `badood.scorer("name")`, `badood.outlier_source("name")`,
`badood.dataset("name")`, `badood.backbone("name")`. Those that are there are `badood.scorer["knn"]`, `badood.dataset["miniworld"]`, ...
"""

from typing import TYPE_CHECKING, Any

from badood.config import Config, Filter, load_config
from badood.core.errors import BadInput, BadOODError

if TYPE_CHECKING:
    from badood.data import dataset
    from badood.detect.backbones.base import backbone
    from badood.detect.scorers import Scorer, scorer
    from badood.interface import OpenRun, Selected, audit, open, run, runs, settings, train
    from badood.outliers import Group, OutlierSource, outlier_source

__all__ = [
    "BadInput",
    "BadOODError",
    "Config",
    "Filter",
    "Group",
    "OpenRun",
    "OutlierSource",
    "Scorer",
    "Selected",
    "audit",
    "backbone",
    "dataset",
    "load_config",
    "open",
    "outlier_source",
    "run",
    "runs",
    "scorer",
    "settings",
    "train",
]

_WHERE = {
    **dict.fromkeys(("OpenRun", "Selected", "audit", "open", "run", "runs", "settings", "train"), "badood.interface"),
    "backbone": "badood.detect.backbones.base",
    "dataset": "badood.data",
    **dict.fromkeys(("Group", "OutlierSource", "outlier_source"), "badood.outliers"),
    **dict.fromkeys(("Scorer", "scorer"), "badood.detect.scorers"),
}
"""What is imported at the first look: the command line and the dashboard need no torch to begin."""


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _WHERE:
        raise AttributeError(f"module 'badood' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_WHERE[name]), name)
