"""Bad-OOD: synthesise outliers, find the harmful ones, retrain the detector.

The parts, in the path's order: data, encode, synthesise, decode, detect, calibrate, filter, evaluate, explore. `pipeline` joins
them; `config` holds every setting; `benchmark`, `jobs` and `store` serve it; `core` is what all stand on.
"""

from badood.config import Config, load_config
from badood.core.errors import BadInput, BadOODError

__all__ = ["BadInput", "BadOODError", "Config", "load_config"]
