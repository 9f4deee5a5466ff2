"""What the companion says about a band within seconds: a preview of its metrics, and the band it would take."""

from typing import Any

import streamlit as st

from app import state
from app.asking import asked, outcome
from app.components.again import again
from app.state import Band
from badood.explore.evidence import preview_worth
from badood.explore.finished import Finished


def preview(found: Finished, chosen: dict[str, Any], count: int) -> None:
    """FPR95, AUROC and AUPR for a band after a head-only retrain, as soon as they are there. Says that they are a preview.

    Args:
        chosen: fields of `config.Filter`. count: outliers that it keeps.
    """
    st.fragment(_preview)(found, chosen, count)


def _preview(found: Finished, chosen: dict[str, Any], count: int) -> None:
    text = (
        "Only the last layer was trained again, for a few seconds, and judged on validation images. A full retrain may differ; "
        "its figures stand in the table below."
    )
    st.markdown("**Preview** of this band, not a full retrain", help=text)
    answer = asked("preview", state.visitor(), run=found.run.id, filter=chosen) if count else None
    figures, problem = outcome(answer) if answer is not None else (None, "")
    names = (("fpr95", "FPR95", "Share of OOD images taken for ID when 95 % of ID images are accepted. Lower is better."),)
    names += (("auroc", "AUROC", "Chance that an OOD image looks more OOD than an ID image. Higher is better."),)
    names += (("aupr", "AUPR", "Area under precision and recall, OOD as positive. Higher is better."),)
    for place, (name, label, meaning) in zip(st.columns(3), names, strict=True):
        place.metric(label, f"{100 * figures[name]:.1f} %" if figures else "…" if count and not problem else "–", help=meaning)
    told = [
        f"on {images} {each.spearman:.2f} ({each.lo:.2f} to {each.hi:.2f}{'' if each.trusted else ', not better than chance'})"
        for images, each in preview_worth(found.run.cfg.preset).items()
    ]
    if told:
        st.caption(f"Rank correlation with full retrains by AUROC, measured for this preset over bands: {'; '.join(told)}.")
    if problem:
        st.caption(f":material/error: {problem}")
    if answer is not None and not answer.done():
        again(0.3, key="preview again")


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
    only = list(state.value("source") or []) if len(found.sources) > 1 else []
    answer = asked("suggest", state.visitor(), run=found.run.id, sources=only)
    if not answer.done():
        st.caption(":material/hourglass_top: Comparing bands on validation images. The page stays usable.")
        return
    state.put("suggesting", None)
    chosen, problem = outcome(answer)
    if problem:
        state.put("suggestion", problem)
    elif chosen is not None:
        # not rounded: outliers lie close together near 0, and those at the ends would drop out
        state.set_band(Band(chosen["lo"], chosen["hi"]))
        of = f" of {', '.join(only)}" if only else ""
        reach = f"The {chosen['kept']:,} outliers{of} in it reach from {chosen['lo']:.3f} to {chosen['hi']:.3f}."
        state.put("suggestion", f"Suggested because: {chosen['reason']}. {reach}")
    st.rerun()
