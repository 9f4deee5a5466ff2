"""Images in: one record type for every source, deterministic splits, safe decoding."""

from badood.core.registry import Registry
from badood.data.record import Loader

dataset: Registry[Loader] = Registry("dataset", "badood.data.sets")
