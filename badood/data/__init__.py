"""Images in: one record type for every source, deterministic splits, safe decoding."""

from badood.core.registry import Registry

dataset: Registry = Registry("dataset", "badood.data.sets")
