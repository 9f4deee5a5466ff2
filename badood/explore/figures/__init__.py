"""One plotly figure a file. Tables and arrays in, a figure out; nothing here reads a run."""

from badood.explore.figures.band_sweep import band_sweep
from badood.explore.figures.confidence_histogram import confidence_histogram
from badood.explore.figures.contact_sheet import contact_sheet
from badood.explore.figures.embedding_map import embedding_map
from badood.explore.figures.filter_table import filter_table
from badood.explore.figures.minority_scores import minority_scores
from badood.explore.figures.ood_types import ood_types
from badood.explore.figures.reliability import reliability
from badood.explore.figures.roc import roc
from badood.explore.figures.shift_heatmaps import shift_heatmaps

__all__ = [
    "band_sweep",
    "confidence_histogram",
    "contact_sheet",
    "embedding_map",
    "filter_table",
    "minority_scores",
    "ood_types",
    "reliability",
    "roc",
    "shift_heatmaps",
]
