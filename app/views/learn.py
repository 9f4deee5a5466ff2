"""The method in ten minutes: why, seven steps with a picture from the run each, a retrain, and what was measured."""

import numpy as np
import streamlit as st

from app import state
from app.opened import calibrations, groups
from app.parts.band_results import results
from app.parts.examples import outlier, strip
from app.parts.header import page_head
from app.parts.job_status import job_status
from app.parts.retrain import retrain_button
from app.parts.walked_steps import walked_steps
from app.state import Band
from badood.explore import figures
from badood.explore.calibrations import calibration_curves
from badood.explore.evidence import filter_experiment
from badood.explore.finished import Finished
from badood.explore.queries import Filters

_PLOT = {"displaylogo": False, "displayModeBar": False}


def page() -> None:
    found = page_head(
        "Learn",
        "How synthetic outliers are made, judged and chosen, in ten minutes. Every picture comes from the run you look at, and every control works.",
    )
    _why(found)
    st.fragment(walked_steps)(found)
    st.fragment(_energy)(found)
    st.fragment(_calibration)(found)
    st.fragment(_band)(found)
    _retrained(found)
    _measured(found)


def _why(found: Finished) -> None:
    st.header("Why")
    st.markdown(
        "A classifier gives every image one of the classes that it was trained on. **In-distribution (ID)** images are of these classes; "
        "**out-of-distribution (OOD)** images are not, and a detector should say so. It learns that better if it sees some OOD images in training. "
        "Real ones are rarely at hand, so they are synthesised: **outliers**. Not every outlier is a good teacher:"
    )
    confidence = found.outliers.values("id_confidence")
    low, high = np.quantile(confidence, [1 / 3, 2 / 3])
    parts = (
        ("Near-copies of ID images", "Trained as OOD they teach the detector to reject ID.", (float(high), 1.0), True),
        ("In between", "Not ID any more, and not yet anything else: the paper keeps these.", (float(low), float(high)), False),
        ("Far away", "Noise, or another object altogether: told from ID with ease, so there is little to learn.", (0.0, float(low)), False),
    )
    for place, (name, text, span, descending) in zip(st.columns(3, gap="medium"), parts, strict=True):
        rows = found.outliers.page(Filters(id_confidence=span), descending=descending, limit=3)
        with place:
            st.markdown(f"**{name}.** {text}")
            strip((outlier(found, row) for row in rows.itertuples()), side=76)
    st.caption(
        "The number is id_confidence, the calibrated probability that an image is ID, which steps 5 and 6 explain. That the middle ones teach best "
        "is the paper's claim; what we measured stands at the end of this page."
    )
    st.header("The seven steps")


def _energy(found: Finished) -> None:
    st.header("5. Score")
    left, right = st.columns([1, 2], gap="large")
    accepted = left.slider("Share of ID images to accept", 0.5, 0.99, 0.95, 0.01, key="learn accepted", bind="query-params")
    limit, taken = found.taken_for_id(accepted)
    left.caption(
        f"The detector gives every image one number, its {found.scored_by}: low for ID images, high for OOD ones. A threshold decides. The more ID "
        "images it accepts, the more OOD images pass as well; FPR95 is the share of OOD images that pass where 95 % of ID images do."
    )
    for name, share in taken.items():
        left.metric(f"{name} accepted as ID", f"{100 * share:.0f} %")
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
        "The raw score has no scale that a person could read. Calibration maps it to id_confidence, the probability that an image is ID, fitted on "
        "held-out images of both kinds. The map is monotone: the order of the images stays."
    )
    scores = found.outliers.values("log_odds")
    value = left.slider("Try a raw score", float(scores.min()), float(scores.max()), float(np.median(scores)), key="learn one energy")
    left.metric("id_confidence", f"{fitted[chosen].id_confidence([value])[0]:.3f}")
    right.plotly_chart(figures.calibration_curves(table, chosen, found.scored_by), key="learn curve", config=_PLOT)


def _band(found: Finished) -> None:
    st.header("7. Filter")
    band = state.band(found)
    lo, hi = band.limits(found)
    left, right = st.columns([1, 2], gap="large")
    scale = found.fitting_scale.with_values(lo, hi)
    state.put("learn band", (lo, hi))
    label = "Keep id_confidence from … to"
    left.slider(label, scale.lo, scale.hi, step=scale.step, format=f"%.{scale.digits}f", key="learn band", on_change=_move)
    left.caption(
        "The band keeps the outliers whose id_confidence lies between two limits. The paper keeps 0.3 to 0.5; the dashed line shows from where on "
        "outliers look as much like ID as 95 % of ID images do."
    )
    filters = Filters(id_confidence=(lo, hi))
    count = found.outliers.count(filters)
    kept, over = left.columns(2)
    kept.metric("Outliers kept", f"{count:,}")
    over.metric("Overlap with ID", f"{100 * found.overlap(filters):.0f} %")
    figure = figures.confidence_histogram(groups(found), (lo, hi), id_quantile=found.id_quantile, span=(scale.lo, scale.hi))
    right.plotly_chart(figure, key="learn histogram", config=_PLOT)
    shown = found.outliers.spread(filters, count=9)
    strip((outlier(found, row, caption=row.clip_label) for row in shown.itertuples()), side=84, empty="The band keeps nothing.")
    left.caption("Now train the detector again, on these outliers only.")
    with left:
        retrain_button(found, filters, band.filter(), count)


def _move() -> None:
    lo, hi = state.value("learn band")
    state.set_band(Band(lo, hi))


def _retrained(found: Finished) -> None:
    job_status(found.run.id, ["retrain"])
    results(found)
    st.caption("One training each: a difference of a point or two may be chance. What follows was measured over several trainings.")


def _measured(found: Finished) -> None:
    """The paper's claim, and what this repository's experiments say about it."""
    st.header("Does it help?")
    st.markdown(
        "The paper reports that detectors trained on the mid-confidence outliers are better than those trained on all of them. To test that claim, "
        "filters must be compared at equal numbers of outliers, over several trainings, against as many outliers drawn at random."
    )
    table = filter_experiment(found.run.cfg.preset)
    if table is None:
        st.info(
            f"For preset {found.run.cfg.preset} it was not measured here: `python -m badood experiment --preset {found.run.cfg.preset}`.",
            icon=":material/info:",
        )
        return
    st.markdown(f"Measured on preset {found.run.cfg.preset} with `python -m badood experiment`; results/README.md discusses it.")
    with st.expander("The table", icon=":material/table_chart:", expanded=True):
        st.markdown(table)
