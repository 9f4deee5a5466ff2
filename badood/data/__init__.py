"""Images in: one record type for every source, deterministic splits, safe decoding."""

from badood.core.registry import Registry
from badood.data.record import Files, Loader

dataset: Registry[Loader] = Registry("dataset", "badood.data.sets")
files: Registry[Files] = Registry("file list", "badood.data.sets")
