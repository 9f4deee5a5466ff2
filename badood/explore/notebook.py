"""One-liners for notebooks: the figures and sheets of a finished run."""

import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from badood.explore import figures
from badood.explore.finished import Finished
from badood.explore.queries import Filters

Band = tuple[float, float]


def show_outliers(
    found: Finished, filters: Filters = Filters(), *, sort: str = "id_confidence", descending: bool = False, count: int = 40
) -> Image.Image:
    """Contact sheet of the first `count` outliers that pass; under each the anchor's class and what CLIP sees."""
    rows = found.outliers.page(filters, sort=sort, descending=descending, limit=count)
    return _sheet(found, rows, [f"{row.anchor_class} → {row.clip_label}" for row in rows.itertuples()])


def show_anchor(found: Finished, outlier_id: int) -> Image.Image:
    """The outliers of one anchor, from weak to strong guidance; under each its guidance scale."""
    rows = found.outliers.siblings(outlier_id)
    return _sheet(found, rows, [f"scale {scale:g}" for scale in rows["guidance_scale"]])


def show_band(found: Finished, band: Band) -> go.Figure:
    """Histogram of confidences with the band."""
    return figures.confidence_histogram(found.confidence_groups(), band, id_quantile=found.id_quantile)


def show_types(found: Finished, band: Band) -> go.Figure:
    """OOD types before and after the band."""
    return figures.ood_types(found.types(*band))


def show_filters(found: Finished) -> go.Figure:
    """The filter experiment of this run."""
    return figures.filter_table(found.filters())


def show_shift(found: Finished, name: str) -> go.Figure:
    """Shift heatmaps of every scorer, for the detector of the filter `name`."""
    return figures.shift_heatmaps(found.shift(name))


def show_minority(found: Finished) -> go.Figure:
    """Minority score by guidance scale."""
    return figures.minority_scores(found.outliers.table())


def show_roc(found: Finished, names: list[str]) -> go.Figure:
    """ROC curves of the detectors of several filters, all OOD sets together."""
    tables = {name: found.scores(name) for name in names}
    known = {name: table.loc[table["set"] == "id", "energy"].to_numpy() for name, table in tables.items()}
    odd = {name: table.loc[table["set"] != "id", "energy"].to_numpy() for name, table in tables.items()}
    return figures.roc(known, odd)


def _sheet(found: Finished, rows: pd.DataFrame, captions: list[str]) -> Image.Image:
    images = list(found.outliers.images(rows["outlier_id"].tolist()).values())
    return figures.contact_sheet(images, rows["id_confidence"].tolist(), rows["ood_type"].tolist(), captions)
