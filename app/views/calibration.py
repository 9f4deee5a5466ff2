"""How far id_confidence can be taken at its word."""

import streamlit as st

from app.opened import calibrations
from app.parts.header import page_head
from badood.calibrate import calibration_error
from badood.explore import figures
from badood.explore.calibrations import calibration_curves
from badood.explore.finished import Finished

_PLOT = {"displaylogo": False}


def page() -> None:
    found = page_head(
        "Calibration",
        "Among images with an id_confidence of 0.8, four in five should be ID. Calibration bends the detector's raw score until that holds.",
    )
    curves, fitted = calibrations(found)
    error = {name: calibration_error(table) for name, table in curves.items()}
    _errors(error, found.run.cfg.calibrate.method)
    shown = st.pills("Show", list(curves), default=list(curves), selection_mode="multi", key="calibrators")
    chosen = {name: curves[name] for name in curves if name in (shown or [])}
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(figures.reliability(chosen, error), key="reliability", config=_PLOT)
    left.caption(
        "On the dotted line a method is right on average. Each was fitted on one half of the held-out images and judged on the other."
    )
    with right:
        _curve(found, fitted, list(chosen))
    _densities(found)


def _errors(error: dict[str, float], used: str) -> None:
    st.markdown(
        "**Expected calibration error (ECE)**: the mean gap between id_confidence and the true share of ID. Lower is better.",
        help="raw is 1 - sigmoid(raw score), before any calibration. temperature, platt, isotonic and beta are four ways to calibrate.",
    )
    for place, (name, value) in zip(st.columns(len(error)), error.items(), strict=True):
        note = " (used by this run)" if name == used else ""
        difference = None if name == "raw" else f"{100 * (value - error['raw']):+.1f} points"
        place.metric(f"{name}{note}", f"{100 * value:.1f} %", difference, delta_color="inverse", border=True, height="stretch")


def _curve(found: Finished, fitted: dict, names: list[str]) -> None:
    """The fitted maps, and the numbers of the one the run uses."""
    log_odds = found.reference["log_odds"].to_numpy()
    table = calibration_curves({name: entry for name, entry in fitted.items() if name in names}, log_odds)
    st.plotly_chart(figures.calibration_curves(table, found.run.cfg.calibrate.method, found.scored_by), key="curves", config=_PLOT)
    learnt = {key.rstrip("_"): value for key, value in found.calibrator.to_dict().items() if key != "method" and isinstance(value, float)}
    numbers = ", ".join(f"{key} = {value:.3f}" for key, value in learnt.items())
    if {"a", "b", "c"} <= set(learnt):
        numbers += ". With s = sigmoid(-E): id_confidence = sigmoid(c + a ln s - b ln(1 - s)); a and b tilt the curve, c moves it"
    st.caption(f"Fitted by this run ({found.run.cfg.calibrate.method}): {numbers or 'steps, no parameters'}.")


def _densities(found: Finished) -> None:
    st.plotly_chart(
        figures.score_densities(found.log_odds(), "Raw scores of ID and OOD images", found.scored_by), key="densities", config=_PLOT
    )
    st.caption(
        "The less the hills overlap, the easier the detector tells ID from OOD. Calibration fits on ID validation and auxiliary OOD."
    )
