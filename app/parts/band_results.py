"""What came of bands: finished retrains before and after, and the sweep over all bands."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from app import state
from app.changing import hand_in, may_edit
from app.parts.band_handles import band_scale
from app.parts.job_status import job_status, open_jobs
from app.parts.outlier_filters import HARM
from app.parts.tables import metric_table
from app.state import Band
from badood.explore import figures
from badood.explore.finished import CONFIDENCES, Finished
from badood.explore.notebook import show_harm, show_roc
from badood.filter import NO_HARM

_PLOT = {"displaylogo": False}


def results(found: Finished) -> None:
    """Table and ROC curves of the detectors trained so far, before the filter and after."""
    st.header("Before and after")
    table = found.filters()
    if table.empty:
        st.info("No detector has been retrained yet. Press Retrain; its row appears here.", icon=":material/info:")
        return
    chosen = found.chosen
    told = f" “{chosen.name}” is the one chosen on validation images; test figures only report." if chosen else ""
    st.caption(
        f"Every row is a detector retrained on what a filter keeps and judged on test images. “all” is the one before filtering.{told}"
    )
    metric_table(table, baseline="all", key="before after")
    names = table["filter"].tolist()
    # a key of its own for every new row, so that the newest curve shows by itself
    chosen = st.multiselect("Curves", names, default=dict.fromkeys([names[0], names[-1]]), key=f"roc names {len(names)}")
    if chosen:
        st.plotly_chart(show_roc(found, chosen), key="band roc", config=_PLOT)


def sweep(found: Finished) -> None:
    """Preview FPR95 of all bands as a heatmap, with the current band marked."""
    st.header("All bands at a glance")
    band = state.band(found)
    table = found.sweep(quantiles=band.quantiles)
    several = " Outliers of every source take part." * (len(found.sources) > 1)
    told = "Previews 55 bands, one after the other, in the background. Previews train the last layer only and use validation images."
    st.caption(told + several)
    busy = bool(open_jobs(found.run.id, ["sweep"]))
    if st.button("Sweep all bands" if table.empty else "Sweep again", icon=":material/apps:", key="sweep", disabled=busy or not may_edit()):
        scale = CONFIDENCES if band.quantiles else band_scale(found)
        hand_in("sweep", {"run": found.run.id, "quantiles": band.quantiles, "span": [scale.lo, scale.hi]}, found.run.id)
        st.rerun()
    job_status(found.run.id, ["sweep"])
    if not table.empty:
        st.fragment(_sweep_plot)(found, table)


def harm(found: Finished) -> None:
    """Whether the outliers that look ID are the harmful ones, and what the estimate is worth."""
    told = found.harm_told
    if told is None:
        return
    st.header("Harm")
    checked = f"rank correlation {told}, over random halves of the outliers"
    if not told.trusted:
        st.info(f"{NO_HARM[0].upper()}{NO_HARM[1:]} ({checked}).", icon=":material/info:")
        return
    st.caption(f"{HARM} The estimate foretells retrains of the last layer ({checked}); of full retrains it says less.")
    st.plotly_chart(show_harm(found), key="harm", config=_PLOT)


def _sweep_plot(found: Finished, table: pd.DataFrame) -> None:
    band = state.band(found)
    figure = figures.band_sweep(table, "fpr95", (band.lo, band.hi))
    if band.quantiles:
        figure.update_xaxes(title="lowest ID quantile kept (lo)").update_yaxes(title="highest ID quantile kept (hi)")
    key = f"band sweep {state.band_turn()}"  # another one whenever the band was set: a chosen cell would stay chosen
    st.caption("Click a cell to take its band.")
    st.plotly_chart(figure, key=key, on_select=lambda: _take(key, band), selection_mode="points", config=_PLOT)


def _take(key: str, band: Band) -> None:
    """The band of the cell that was clicked."""
    points = state.value(key)["selection"]["points"]
    if points:
        state.set_band(replace(band, lo=float(points[0]["x"]), hi=float(points[0]["y"])))
        st.rerun()
