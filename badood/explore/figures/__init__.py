"""One plotly figure a file. Tables and arrays in, a figure out; nothing here reads a run."""

from badood.explore.figures.band_sweep import band_sweep
from badood.explore.figures.calibration_curves import calibration_curves
from badood.explore.figures.confidence_histogram import confidence_histogram, with_band
from badood.explore.figures.contact_sheet import contact_sheet
from badood.explore.figures.embedding_map import embedding_map
from badood.explore.figures.filter_table import filter_table
from badood.explore.figures.harm_by_confidence import harm_by_confidence
from badood.explore.figures.minority_scores import minority_scores
from badood.explore.figures.ood_types import ood_types
from badood.explore.figures.reliability import reliability
from badood.explore.figures.roc import roc
from badood.explore.figures.score_densities import score_densities
from badood.explore.figures.shift_heatmaps import shift_heatmaps

__all__ = [
    "band_sweep",
    "calibration_curves",
    "confidence_histogram",
    "contact_sheet",
    "embedding_map",
    "filter_table",
    "harm_by_confidence",
    "minority_scores",
    "ood_types",
    "reliability",
    "roc",
    "score_densities",
    "shift_heatmaps",
    "with_band",
]
