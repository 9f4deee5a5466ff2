"""Bad-OOD: outliers for out-of-distribution detection: make or import them, find the harmful ones, retrain the detector.

The parts, in the path's order: data, encode, synthesise, decode, outliers, detect, calibrate, filter, evaluate, explore. `pipeline` joins
them; `interface` is what a notebook uses; `config` holds every setting; `benchmark`, `jobs` and `store` serve it; `core` is what all stand
on.

    import badood
    run = badood.run("miniworld", set={"detector.epochs": 2})
    run.outliers                      # a pandas table with id_confidence
    run.retrain(run.band(0.2, 0.5))

Plug-ins of your own are registered by a decorator, in a notebook cell too: `badood.scorer("name")`, `badood.outlier_source("name")`,
`badood.backbone("name")`.
"""

from typing import TYPE_CHECKING, Any

from badood.config import Config, Filter, load_config
from badood.core.errors import BadInput, BadOODError

if TYPE_CHECKING:
    from badood.detect.backbones.base import backbone
    from badood.detect.scorers import scorer
    from badood.interface import OpenRun, Selected, open, run, runs, settings
    from badood.outliers import outlier_source
    from badood.pipeline.audit import audit

__all__ = [
    "BadInput",
    "BadOODError",
    "Config",
    "Filter",
    "OpenRun",
    "Selected",
    "audit",
    "backbone",
    "load_config",
    "open",
    "outlier_source",
    "run",
    "runs",
    "scorer",
    "settings",
]

_WHERE = {
    **dict.fromkeys(("OpenRun", "Selected", "open", "run", "runs", "settings"), "badood.interface"),
    "audit": "badood.pipeline.audit",
    "backbone": "badood.detect.backbones.base",
    "outlier_source": "badood.outliers",
    "scorer": "badood.detect.scorers",
}
"""What is imported at the first look: the command line and the dashboard need no torch to begin."""


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _WHERE:
        raise AttributeError(f"module 'badood' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_WHERE[name]), name)
