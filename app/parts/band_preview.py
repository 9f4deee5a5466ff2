"""What the companion says about a band within seconds: a preview of its metrics, and the band it would take."""

from concurrent.futures import Future
from typing import Any

import streamlit as st

from app import state
from app.asking import asked
from app.state import Band
from badood.core.errors import BadInput
from badood.explore.finished import Finished


def preview(found: Finished, band: Band, count: int) -> None:
    """FPR95, AUROC and AUPR for a band after a head-only retrain, as soon as they are there. Says that they are a preview."""
    st.fragment(_watch, key="preview")(found, band, count)


def _watch(found: Finished, band: Band, count: int) -> None:
    waiting = count > 0 and not _previewed(found, band).done()
    st.fragment(_preview, run_every=0.3 if waiting else None)(found, band, count, waiting)


def _previewed(found: Finished, band: Band) -> "Future[Any]":
    return asked("preview", state.visitor(), run=found.run.id, filter=band.filter())


def _preview(found: Finished, band: Band, count: int, waited: bool) -> None:
    text = (
        "Only the last layer was trained again, for a few seconds, and judged on validation images. A full retrain may differ; "
        "its figures stand in the table below."
    )
    st.markdown("**Preview** of this band, not a full retrain", help=text)
    answer = _previewed(found, band) if count else None
    figures, problem = {}, ""
    if answer is not None and answer.done() and not answer.cancelled():
        try:
            figures = answer.result()
        except BadInput as error:
            problem = str(error)
    names = (("fpr95", "FPR95", "Share of OOD images taken for ID when 95 % of ID images are accepted. Lower is better."),)
    names += (("auroc", "AUROC", "Chance that an OOD image looks odder than an ID image. Higher is better."),)
    names += (("aupr", "AUPR", "Area under precision and recall, OOD as positive. Higher is better."),)
    for place, (name, label, meaning) in zip(st.columns(3), names, strict=True):
        place.metric(label, f"{figures[name]:.1%}" if figures else "…" if count and not problem else "–", help=meaning)
    if problem:
        st.caption(f":material/error: {problem}")
    if waited and answer is not None and answer.done():
        # so that it stops looking; the plot is left alone, for a person may be dragging on it
        st.rerun(scope="preview")


def suggest(found: Finished) -> None:
    """A button that lets the companion choose a band, and what it said."""
    asking = state.value("suggesting") == found.run.id
    st.fragment(_suggest, run_every=0.5 if asking else None)(found)


def _suggest(found: Finished) -> None:
    if state.value("suggesting") != found.run.id:
        help_text = "Compares a dozen bands by a quick preview on validation images, never on test images, and takes the best one."
        if st.button("Suggest a band", icon=":material/lightbulb:", help=help_text):
            state.put("suggesting", found.run.id)
            st.rerun()
        if state.value("suggestion"):
            st.caption(state.value("suggestion"))
        return
    answer = asked("suggest", state.visitor(), run=found.run.id)
    if not answer.done():
        st.caption(":material/hourglass_top: Comparing bands on validation images. The page stays usable.")
        return
    state.put("suggesting", None)
    try:
        chosen = answer.result()
    except BadInput as error:
        state.put("suggestion", str(error))
    else:
        state.set_band(Band(round(chosen["lo"], 3), round(chosen["hi"], 3)))
        state.put("suggestion", f"Suggested because: {chosen['reason']}.")
    st.rerun()
