"""Detectors side by side: runs, filters, bands."""

from typing import NamedTuple

import pandas as pd
import streamlit as st

from app import state
from app.opened import is_scored, opened, runs
from app.parts.examples import outlier, strip
from app.parts.export_menu import export_menu
from app.parts.header import page_head
from app.parts.tables import metric_table
from badood.explore import figures
from badood.explore.finished import Finished
from badood.explore.queries import Filters

_PLOT = {"displaylogo": False}
_BOUND = {"bind": "query-params", "persist_state": "session"}


class Entry(NamedTuple):
    """A trained detector: a filter of a run."""

    run: str
    filter: str

    @property
    def label(self) -> str:
        return f"{self.run}: {self.filter}"


def page() -> None:
    found = page_head("Compare", "Two or more trained detectors side by side: of one run with different bands, or of different runs.")
    entries = {entry.label: entry for entry in _entries()}
    own = {entry.filter: label for label, entry in entries.items() if entry.run == found.run.id}
    if not own:
        st.info("No detector has been tested yet. Finish the run first.", icon=":material/info:")
        return
    best = found.chosen
    names = list(own)
    if not set(state.value("compare entries") or ()) <= set(entries):
        state.forget("compare entries")  # of a run that is gone
    shown = dict.fromkeys(own[name] for name in (names[0], *([best.name] if best else []), names[-1]))
    meaning = "The first one is the baseline: differences are taken from it."
    labels = st.multiselect("Detectors", list(entries), default=shown, key="compare entries", help=meaning, **_BOUND)
    chosen = [entries[label] for label in labels]
    if len(chosen) < 2:
        st.info("Choose at least two detectors.", icon=":material/info:")
        return
    _metrics(chosen)
    _scorers(chosen)
    _settings(list(dict.fromkeys(entry.run for entry in chosen)))
    _curves(chosen)
    same = [entry for entry in chosen if entry.run == chosen[0].run]
    if len(same) > 1:
        _differing(opened(chosen[0].run), same)
    else:
        st.caption("Outliers of different runs are different images, so what two filters keep is compared within one run only.")


def _entries() -> list[Entry]:
    """Every detector that was tested."""
    return [Entry(run.id, name) for run in runs() if is_scored(run) for name, row in run.rows.items() if not row.empty]


def _metrics(chosen: list[Entry]) -> None:
    rows = []
    for entry in chosen:
        table = opened(entry.run).filters()
        rows.append(table[table["filter"] == entry.filter].assign(detector=entry.label))
    table = pd.concat(rows, ignore_index=True).drop(columns="filter")
    table.insert(0, "detector", table.pop("detector"))
    metric_table(table, baseline=chosen[0].label, name="detector", key="compare metrics")
    best = {run: row.name for run in dict.fromkeys(entry.run for entry in chosen) if (row := opened(run).chosen)}
    told = ", ".join(f"“{Entry(run, name).label}”" for run, name in best.items())
    st.caption(
        f"Chosen on validation images: {told or 'none, for no detector could be calibrated'}. The figures are of test images and only report."
    )
    st.plotly_chart(
        figures.filter_table(table.rename(columns={"detector": "filter"}), baseline=chosen[0].label), key="compare dots", config=_PLOT
    )


def _scorers(chosen: list[Entry]) -> None:
    """Every score under the same detectors: what is calibrated need not be the best one."""
    st.header("Scores compared")
    st.caption(
        "The calibrated score (bad-ood) beside others that read the same detector, mean over the OOD test sets. One training each, so no interval: "
        "differences of a point or two may be chance."
    )
    tables = [opened(entry.run).scorers(entry.filter).assign(detector=entry.label) for entry in chosen]
    table = pd.concat(tables, ignore_index=True)
    fpr, auroc = (table.pivot(index="scorer", columns="detector", values=metric) for metric in ("fpr95", "auroc"))
    order = auroc.mean(axis=1).sort_values(ascending=False).index
    labels = [entry.label for entry in chosen]
    shown = pd.concat({"AUROC": 100 * auroc.loc[order, labels], "FPR95": 100 * fpr.loc[order, labels]}, axis=1)
    shown.columns = [f"{metric}, {label}" for metric, label in shown.columns]
    formats = {name: st.column_config.NumberColumn(name, format="%.1f %%") for name in shown}
    st.dataframe(shown, column_config=formats, key="compare scorers")


def _settings(names: list[str]) -> None:
    """The settings in which runs differ."""
    if len(names) < 2:
        return
    flat = {name: pd.json_normalize(opened(name).run.record["config"]).iloc[0].astype(str) for name in names}
    table = pd.DataFrame(flat).fillna("")
    differing = table[table.nunique(axis=1) > 1]
    with st.expander(f"Settings that differ: {len(differing)}", icon=":material/difference:"):
        st.dataframe(differing, key="compare settings")


def _curves(chosen: list[Entry]) -> None:
    tables = {entry.label: opened(entry.run).scores(entry.filter) for entry in chosen}
    of_id = {label: table.loc[table["set"] == "id", "log_odds"].to_numpy() for label, table in tables.items()}
    of_ood = {label: table.loc[table["set"] != "id", "log_odds"].to_numpy() for label, table in tables.items()}
    st.plotly_chart(figures.roc(of_id, of_ood), key="compare roc", config=_PLOT)
    for places, part in zip(_pairs(len(chosen)), _in_twos(list(tables)), strict=True):
        for place, label in zip(places, part, strict=False):
            groups = {"ID test": of_id[label], "OOD test": of_ood[label]}
            place.plotly_chart(figures.score_densities(groups, label, "raw score"), key=f"scores {label}", config=_PLOT)
    st.caption("The farther the two hills stand apart, the better the detector.")


def _pairs(count: int) -> list:
    return [st.columns(2) for _ in range(-(-count // 2))]


def _in_twos(labels: list[str]) -> list[list[str]]:
    return [labels[first : first + 2] for first in range(0, len(labels), 2)]


def _differing(found: Finished, entries: list[Entry]) -> None:
    """What two filters keep and what only one of them keeps."""
    st.header("Which outliers differ")
    left, right = st.columns(2)
    names = [entry.filter for entry in entries]
    one = left.selectbox("One filter", names, index=0, key="differ one", **_BOUND)
    other = right.selectbox("Another filter", names, index=len(names) - 1, key="differ other", **_BOUND)
    if one == other:
        st.info("Choose two different filters.", icon=":material/info:")
        return
    kept = {name: set(found.kept(name).tolist()) for name in (one, other)}
    st.caption(f"Both keep {len(kept[one] & kept[other]):,} of {len(found.outliers):,} outliers.")
    for name, against in ((one, other), (other, one)):
        ids = tuple(sorted(kept[name] - kept[against]))
        st.markdown(f"**Kept by “{name}” only: {len(ids):,}**")
        if not ids:
            st.caption(f"“{against}” keeps all that “{name}” keeps.")
            continue
        shown = found.outliers.spread(Filters(outlier_id=ids), count=18)
        strip((outlier(found, row, caption=row.clip_label) for row in shown.itertuples()), side=84)
        export_menu(found, lambda ids=ids: found.outliers.ids(Filters(outlier_id=ids)), len(ids), key=f"differ {name}")
