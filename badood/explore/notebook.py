"""One-liners for notebooks: the figures and sheets of a finished run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from badood.calibrate import calibration_error
from badood.core.errors import BadInput
from badood.data.images import png
from badood.explore import figures
from badood.explore.calibrations import calibration_curves, compare_calibrators, fitted_calibrators
from badood.explore.finished import Finished
from badood.explore.queries import Filters, origin, said
from badood.filter import NO_HARM

Band = tuple[float, float]


def show_outliers(
    found: Finished, filters: Filters = Filters(), *, sort: str = "id_confidence", descending: bool = False, count: int = 40
) -> Image.Image:
    """Contact sheet of the first `count` outliers that pass, of a run without a detector in order of number; under each where it comes from and what CLIP sees."""
    by = sort if sort in found.outliers.columns else "outlier_id"
    rows = found.outliers.page(filters, sort=by, descending=descending, limit=count)
    return _sheet(found, rows, [_caption(row) for row in rows.itertuples()])


def show_images(images: Sequence[Image.Image], captions: Sequence[str] | None = None, *, columns: int = 10, cell: int = 112) -> Image.Image:
    """Contact sheet of any images, `cell` px each, `columns` a row; under each its caption.

    Raises:
        BadInput: there is no image, or not a caption an image.
    """
    if captions is not None and len(captions) != len(images):
        raise BadInput(f"{len(images):,} images and {len(captions):,} captions; give one for each image.")
    content = [png(np.asarray(image.convert("RGB")).transpose(2, 0, 1)) for image in images]
    return figures.contact_sheet(content, [float("nan")] * len(content), [None] * len(content), captions, columns=columns, cell=cell)


def show_anchor(found: Finished, outlier_id: int) -> Image.Image:
    """The outliers of one anchor, from weak to strong guidance; under each its guidance scale."""
    rows = found.outliers.siblings(outlier_id)
    return _sheet(
        found,
        rows,
        [f"scale {row.guidance_scale:g}" if said(getattr(row, "guidance_scale", None)) else origin(row) for row in rows.itertuples()],
    )


def show_band(found: Finished, band: Band) -> go.Figure:
    """Histogram of confidences with the band; where there are several sources of outliers, of each."""
    return figures.confidence_histogram(found.confidence_groups(by_source=True), band, id_quantile=found.id_quantile)


def show_scores(found: Finished, accepted: float = 0.95) -> go.Figure:
    """Raw score of held-out images and outliers under the first detector; dashed: where a share `accepted` of ID validation lies below."""
    limit, _ = found.taken_for_id(accepted)
    return figures.score_densities(found.log_odds(), "Raw score of held-out images and outliers", found.scored_by, limit=limit)


def show_calibration(found: Finished) -> go.Figure:
    """What every calibrator makes of the raw score; the run's own is drawn thicker. Paper eq. 7."""
    curves = calibration_curves(fitted_calibrators(found.reference), found.reference["log_odds"].to_numpy())
    return figures.calibration_curves(curves, found.run.cfg.calibrate.method, found.scored_by)


def show_reliability(found: Finished, names: Sequence[str] = ()) -> go.Figure:
    """Reliability of calibrators, and before calibration ("raw"), on held-out images that they were not fitted on.

    Args:
        names: of calibrators; none = all that can be fitted.
    """
    curves = compare_calibrators(found.reference)
    shown = {name: curves[name] for name in names or curves}
    return figures.reliability(shown, {name: calibration_error(curve) for name, curve in shown.items()})


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
    return figures.minority_scores(found.outliers.table(columns=("guidance_scale", "minority_score")))


def show_harm(found: Finished) -> go.Figure:
    """Estimated harm against id_confidence.

    Raises:
        BadInput: harm could not be estimated for this run.
    """
    if "harm" not in found.outliers.known:
        raise BadInput(f"run {found.run.id}: {NO_HARM}")
    return figures.harm_by_confidence(found.outliers.table(columns=("outlier_id", "id_confidence", "harm")))


def show_roc(found: Finished, names: list[str]) -> go.Figure:
    """ROC curves of the detectors of several filters, all OOD sets together."""
    tables = {name: found.scores(name) for name in names}
    of_id = {name: table.loc[table["set"] == "id", "log_odds"].to_numpy() for name, table in tables.items()}
    of_ood = {name: table.loc[table["set"] != "id", "log_odds"].to_numpy() for name, table in tables.items()}
    return figures.roc(of_id, of_ood)


def _sheet(found: Finished, rows: pd.DataFrame, captions: list[str]) -> Image.Image:
    images = list(found.outliers.images(rows["outlier_id"].tolist()).values())
    nothing = [float("nan")] * len(rows)
    confidences = rows["id_confidence"].tolist() if "id_confidence" in rows else nothing
    return figures.contact_sheet(images, confidences, rows["ood_type"].tolist() if "ood_type" in rows else [None] * len(rows), captions)


def _caption(row: Any) -> str:
    seen = getattr(row, "clip_label", None)
    named = getattr(row, "anchor_class", None)
    return f"{named if said(named) else origin(row)} → {seen}" if said(seen) else origin(row)
