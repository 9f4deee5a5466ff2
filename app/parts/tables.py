"""Tables of metrics in percent, with the difference from a first row."""

import pandas as pd
import streamlit as st

from badood.explore.finished import METRICS

_NAMES = {"fpr95": "FPR95", "auroc": "AUROC", "aupr": "AUPR", "id_accuracy": "ID acc."}


def metric_table(table: pd.DataFrame, baseline: str, *, key: str, name: str = "filter") -> None:
    """Metrics in percent; beside each the difference from the baseline row in points.

    Args:
        table: a row a detector: the column `name`, of METRICS those that were measured, and further columns as they are.
        baseline: value of `name` of the row that the others are compared with.
    """
    metrics = [metric for metric in METRICS if metric in table.columns]
    shown = table[[column for column in table.columns if column not in metrics]].copy()
    before = table[table[name] == baseline]
    formats = {"kept": st.column_config.NumberColumn("kept", format="localized")}
    for metric in metrics:
        label = _NAMES[metric]
        shown[label] = 100 * table[metric]
        formats[label] = st.column_config.NumberColumn(label, format="%.2f %%")
        if len(before):
            shown[f"Δ {label}"] = 100 * (table[metric] - before[metric].iloc[0])
            formats[f"Δ {label}"] = st.column_config.NumberColumn(
                f"Δ {label}", format="%+.2f", help=f"Difference from “{baseline}” in percentage points."
            )
    if "overlap" in shown:
        shown["overlap"] = 100 * shown["overlap"]
        formats["overlap"] = st.column_config.NumberColumn("overlap", format="%.0f %%", help="Share of the kept outliers that pass for ID.")
    for limit in {"lo", "hi"} & set(shown.columns):
        formats[limit] = st.column_config.NumberColumn(limit, format="%.3f", help="id_confidence of the kept outliers.")
    st.dataframe(shown, hide_index=True, column_config=formats, key=key)
