"""Post-hoc scorers, one a file: activations -> anomaly, larger = more OOD."""

from badood.detect.scorers.base import Scorer, named, scorer

__all__ = ["Scorer", "named", "scorer"]
