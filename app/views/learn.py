"""The method in seven steps, each with a picture from the run and the control that changes it."""

import numpy as np
import streamlit as st

from app import state
from app.opened import calibrations, groups
from app.parts.examples import outlier, strip
from app.parts.header import page_head
from app.parts.walked_steps import walked_steps
from app.state import Band
from badood.explore import figures
from badood.explore.calibrations import calibration_curves
from badood.explore.finished import Finished
from badood.explore.queries import Filters

_PLOT = {"displaylogo": False, "displayModeBar": False}


def page() -> None:
    found = page_head("Learn", "How outliers are made and chosen, in seven short steps. Every picture comes from the run you look at.")
    st.fragment(walked_steps)(found)
    st.fragment(_energy)(found)
    st.fragment(_calibration)(found)
    st.fragment(_band)(found)


def _energy(found: Finished) -> None:
    st.header("5. Energy")
    left, right = st.columns([1, 2], gap="large")
    accepted = left.slider("Share of ID images to accept", 0.5, 0.99, 0.95, 0.01, key="learn accepted", bind="query-params")
    limit, taken = found.taken_for_id(accepted)
    left.caption(
        f"The detector gives every image one number, its {found.scored_by}: low for what it knows, high for what it does not. "
        "A threshold decides. The stricter it is with OOD, the more ID images it loses."
    )
    for name, share in taken.items():
        left.metric(f"{name} taken for ID", f"{100 * share:.0f} %")
    figure = figures.score_densities(found.log_odds(), "Raw score of held-out images and outliers", found.scored_by, limit=limit)
    right.plotly_chart(figure, key="learn energy", config=_PLOT)


def _calibration(found: Finished) -> None:
    st.header("6. Calibration")
    left, right = st.columns([1, 2], gap="large")
    _, fitted = calibrations(found)
    if not fitted:
        left.caption("This detector ranks ID and OOD the wrong way round, so nothing can be calibrated.")
        return
    used = found.run.cfg.calibrate.method
    names = list(fitted)
    chosen = left.selectbox("Method", names, names.index(used) if used in names else 0, key="learn calibrator", bind="query-params")
    table = calibration_curves({chosen: fitted[chosen]}, found.reference["log_odds"].to_numpy())
    left.caption(
        "Such a number means nothing to a person. Calibration bends it into id_confidence, the chance that an image is ID, "
        "by looking at held-out images of both kinds. The curve always falls: order is kept."
    )
    scores = found.outliers.values("log_odds")
    value = left.slider("Try a raw score", float(scores.min()), float(scores.max()), float(np.median(scores)), key="learn one energy")
    left.metric("id_confidence", f"{fitted[chosen].id_confidence([value])[0]:.3f}")
    right.plotly_chart(figures.calibration_curves(table, chosen, found.scored_by), key="learn curve", config=_PLOT)


def _band(found: Finished) -> None:
    st.header("7. Band")
    band = state.band(found)
    lo, hi = band.limits(found)
    left, right = st.columns([1, 2], gap="large")
    scale = found.fitting_scale.with_values(lo, hi)
    state.put("learn band", (lo, hi))
    label = "Keep id_confidence from … to"
    left.slider(label, scale.lo, scale.hi, step=scale.step, format=f"%.{scale.digits}f", key="learn band", on_change=_move)
    left.caption(
        "Outliers that look like ID teach the detector to reject ID images; outliers far away teach it nothing new. "
        "The band keeps what lies between. The detector is then trained again on what is kept: see the page Band."
    )
    filters = Filters(id_confidence=(lo, hi))
    left.metric("Outliers kept", f"{found.outliers.count(filters):,}")
    figure = figures.confidence_histogram(groups(found), (lo, hi), id_quantile=found.id_quantile, span=(scale.lo, scale.hi))
    right.plotly_chart(figure, key="learn histogram", config=_PLOT)
    shown = found.outliers.spread(filters, count=9)
    strip((outlier(found, row, caption=row.clip_label) for row in shown.itertuples()), side=84, empty="The band keeps nothing.")


def _move() -> None:
    lo, hi = state.value("learn band")
    state.set_band(Band(lo, hi))
