"""Where each scorer sees an anomaly: by semantic and by covariate shift."""

import pandas as pd
import streamlit as st

from app import state
from app.asking import asked, outcome
from app.components.again import again
from app.components.hover_images import hover_images
from app.parts.header import page_head
from app.server import grid_url
from badood.evaluate.shift import shift_summary
from badood.explore import figures
from badood.explore.finished import Finished
from badood.pipeline.artefacts import OURS

_EXAMPLES = 4

_WANTED = {
    "semantic": "A correlation near 1 with a large slope is wanted: what turns into something else is found.",
    "covariate": "A large slope is not wanted: a known object in a new look is taken for another.",
}


def page() -> None:
    found = page_head(
        "Shift heatmaps",
        "Test images change in two ways. Downward the object turns into something else (semantic shift), rightward only its look changes "
        "(covariate shift). A good detector is red at the bottom and blue at the top, however far to the right.",
    )
    names = found.filters()["filter"].tolist()
    if not names:
        st.info("No detector has been tested yet. Finish the run first.", icon=":material/info:")
        return
    meaning = "“all” is the detector before filtering; the others were retrained on what a filter keeps."
    if not set(state.value("heatmap detectors") or ()) <= set(names):
        state.forget("heatmap detectors")  # left over from another run
    bound = {"bind": "query-params", "persist_state": "session"}
    chosen = st.multiselect("Detectors", names, default=names[:1], key="heatmap detectors", help=meaning, **bound)
    if not chosen:
        st.info("Choose a detector.", icon=":material/info:")
    if not found.has("grid"):
        st.info("This run has no shift grid (setting data.grid), so no test image has a known shift.", icon=":material/info:")
        return
    with st.container(key="heatmaps"):
        for name in chosen:
            st.fragment(_heatmaps)(found, name)
    if chosen:
        hover_images(_images(found, chosen[0]), plots="heatmaps", key="heatmap images")


def _heatmaps(found: Finished, name: str) -> None:
    """One detector's methods by rank: what the run measured, then every other scorer there is, as its figures come; and one's heatmap."""
    table = found.shift(name)
    st.subheader(f"Detector “{name}”")
    if table.empty:
        st.plotly_chart(figures.shift_heatmaps(table), key=f"heatmaps {name}", config={"displaylogo": False})
        return
    further, awaited = _further(found, name, set(table["method"]))
    table = pd.concat([table, *further], ignore_index=True)
    summary = shift_summary(table)
    _ranking(summary, key=f"shift ranking {name}")
    st.caption(
        "First the method whose AUROC rises most by semantic level; click a heading to sort by it. AUROC tells a cell's images from the ID test "
        "images and is averaged over the cells of a level."
    )
    if awaited:
        st.caption(f":material/hourglass_top: {awaited}")
        again(0.5, key=f"heatmaps again {name}")
    methods = summary["method"].tolist()
    method = st.selectbox("Heatmap of", methods, index=methods.index(OURS), key=f"heatmap method {name}")
    st.plotly_chart(figures.shift_heatmaps(table[table["method"] == method]), key=f"heatmaps {name}", config={"displaylogo": False})
    st.caption(
        "A number is AUROC in percent, a colour the mean anomaly, stretched from the method's least cell to its most. Point at a cell for its "
        "figures and four of its images."
    )


def _ranking(summary: pd.DataFrame, *, key: str) -> None:
    """Methods in the order of their rank; slopes in percentage points of AUROC a level."""
    shown, formats = summary[["method"]].copy(), {}
    for kind, wanted in _WANTED.items():
        correlation, slope = f"{kind} corr.", f"{kind} slope"
        shown[correlation], shown[slope] = summary[f"{kind}_correlation"], 100 * summary[f"{kind}_slope"]
        meanings = {
            correlation: f"Pearson correlation of AUROC with the {kind} level.",
            slope: f"Points of AUROC a {kind} level, without sign.",
        }
        formats |= {
            label: st.column_config.NumberColumn(label, format="%.2f", help=f"{meaning} {wanted}") for label, meaning in meanings.items()
        }
    st.dataframe(shown, hide_index=True, column_config=formats, key=key)


def _further(found: Finished, name: str, known: set[str]) -> tuple[list[pd.DataFrame], str]:
    """Shift tables of the scorers beyond `known`, and what is being waited for. Group by group, so that a preview need not wait for all."""
    visitor = f"{state.visitor()} {name}"
    groups, problem = outcome(asked("scorers", visitor))
    if problem:
        st.caption(f":material/error: Further scorers cannot be listed: {problem}")
        return [], ""
    if groups is None:
        return [], "Looking for further scorers."
    tables: list[pd.DataFrame] = []
    missing = [names for group in groups if (names := [scorer for scorer in group if scorer not in known])]
    for place, names in enumerate(missing):
        answer, problem = outcome(asked("shift", visitor, run=found.run.id, detector=name, names=names))
        if answer is None and not problem:
            return tables, f"Looking at the images now: {', '.join(names)}. Scorers to come: {sum(map(len, missing[place:]))}."
        failed = dict.fromkeys(names, problem) if problem else answer["failed"]
        for scorer, reason in failed.items():
            st.caption(f":material/error: {scorer}: {reason}")
        if answer:
            tables.append(pd.DataFrame(answer["rows"]))
    return tables, ""


def _images(found: Finished, name: str) -> dict[tuple[int, int], list[str]]:
    """Addresses of examples by cell."""
    table = found.shift(name)
    if table.empty:
        return {}
    cells = table.loc[table["count"] > 0, ["semantic", "covariate", "count"]].drop_duplicates(["semantic", "covariate"])
    return {
        (int(row.semantic), int(row.covariate)): [
            grid_url(found, int(row.semantic), int(row.covariate), number) for number in range(min(_EXAMPLES, int(row.count)))
        ]
        for row in cells.itertuples(index=False)
        if row.semantic == row.semantic
    }
