"""Where each scorer sees an anomaly: by semantic and by covariate shift."""

import pandas as pd
import streamlit as st

from app import state
from app.asking import asked, outcome
from app.components.again import again
from app.components.hover_images import hover_images
from app.parts.header import page_head
from app.server import grid_url
from badood.explore import figures
from badood.explore.finished import Finished

_EXAMPLES = 4


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
    chosen = st.multiselect("Detectors", names, default=names[:1], key="heatmap detectors", help=meaning)
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
    """One detector's heatmaps: what the run measured, then every other scorer there is, as its figures come."""
    table = found.shift(name)
    st.subheader(f"Detector “{name}”")
    further, awaited = ([], "") if table.empty else _further(found, name, set(table["method"]))
    st.plotly_chart(figures.shift_heatmaps(pd.concat([table, *further]), columns=3), key=f"heatmaps {name}", config={"displaylogo": False})
    if not table.empty:
        st.caption(
            "Point at a cell for its mean anomaly, its count and four of its images. Colours are stretched per scorer from least to most."
        )
    if awaited:
        st.caption(f":material/hourglass_top: {awaited}")
        again(0.5, key=f"heatmaps again {name}")


def _further(found: Finished, name: str, known: set[str]) -> tuple[list[pd.DataFrame], str]:
    """Shift tables of the scorers beyond `known`, and what is being waited for. One at a time, so that a preview need not wait for all."""
    visitor = f"{state.visitor()} {name}"
    names, problem = outcome(asked("scorers", visitor))
    if problem:
        st.caption(f":material/error: Further scorers cannot be listed: {problem}")
        return [], ""
    if names is None:
        return [], "Looking for further scorers."
    tables: list[pd.DataFrame] = []
    missing = [scorer for scorer in names if scorer not in known]
    for scorer in missing:
        rows, problem = outcome(asked("shift", visitor, run=found.run.id, detector=name, name=scorer))
        if problem:
            st.caption(f":material/error: {scorer}: {problem}")
        elif rows is None:
            return tables, f"{scorer} looks at the images now; {len(tables)} of {len(missing)} further scorers are here."
        else:
            tables.append(pd.DataFrame(rows))
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
