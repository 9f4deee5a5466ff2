"""Rows of several seeds as a summary, a Markdown page, CSV and a picture: means, and differences paired by seed, with 95 % intervals."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from badood.core.artefacts import atomic_file
from badood.evaluate.paired import Interval, mean_of

if TYPE_CHECKING:
    from badood.benchmark.table import Column, Table

EQUAL = "not distinguishable"
ONE_SEED = "one seed"
_GREY, _BLUE, _RED = "#7c7f86", "#0072B2", "#D55E00"


def summary(table: "Table", rows: pd.DataFrame) -> pd.DataFrame:
    """A row a row of the table: row, seeds (with figures), note, for every column an `Interval`, and as `less NAME` the paired difference of
    the compared ones from the row's foil; none where it has no foil.

    Args:
        rows: of all seeds: seed, row, figures, note.
    """
    values = {str(name): part.set_index("seed") for name, part in rows.groupby("row", sort=False)}
    made = []
    for name, part in values.items():
        foil = values.get(table.foil(name))
        told: dict[str, Any] = {"row": name, "seeds": 0, "note": ""}
        for column in table.shown(rows):
            figures = part.get(column.name, pd.Series(dtype=float)).astype(float)
            if column.name != "kept":  # which is known of what keeps nothing, too
                told["seeds"] = max(told["seeds"], int(figures.notna().sum()))
            told[column.name] = mean_of(figures)
            if column.compared:
                told[f"less {column.name}"] = None if foil is None else mean_of(figures - foil[column.name].astype(float))
        if "note" in part and part["note"].notna().any():
            told["note"] = str(part["note"].dropna().iloc[0])
        made.append(told)
    return pd.DataFrame(made)


def markdown(table: "Table", rows: pd.DataFrame) -> str:
    """The summary as a Markdown table: percent where a column is of fractions; the paper's figures beside ours where it has the row."""
    papers, columns = by_row(table), table.shown(rows)
    beside = [column for column in columns if column.paper and any(paper.get(column.paper) for paper in papers.values())]
    made = summary(table, rows)
    compared = {column.name for column in columns if column.compared and made[f"less {column.name}"].notna().any()}
    heads = [head for column in columns for head in (column.title, *(["difference"] if column.name in compared else []))]
    lines = [line(["", "seeds", *heads, *(f"{column.title}, paper" for column in beside)])]
    lines.append(line(["---"] * (lines[0].count("|") - 1)))
    for row in made.to_dict("records"):
        cells = [row["row"], str(row["seeds"])]
        for column in columns:
            cells.append(value(row[column.name].mean, column))
            if column.name in compared:
                cells.append(difference(row[f"less {column.name}"], column))
        cells += [papers.get(row["row"], {}).get(column.paper, "") for column in beside]
        lines.append(line(cells))
    notes = dict.fromkeys(f"- {row['row']}: {row['note']}" for row in made.to_dict("records") if row["note"])
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def quoted(table: "Table") -> str:
    """The paper's own figures as Markdown tables."""
    return "\n".join(_quoted(rows) for rows in table.of_the_paper)


def _quoted(rows: list[dict[str, str]]) -> str:
    names = [name for name in rows[0] if name != "row"]
    return "\n".join([line(names), line(["---"] * len(names)), *(line([row[name] for name in names]) for row in rows)]) + "\n"


def by_row(table: "Table") -> dict[str, dict[str, str]]:
    """The paper's figures by the row of ours that they belong to."""
    return {each["row"]: each for rows in reversed(table.of_the_paper) for each in rows if each["row"]}


def flat(table: "Table", rows: pd.DataFrame) -> pd.DataFrame:
    """The summary with plain columns: of every figure NAME, NAME_lo, NAME_hi, of differences less_NAME, ..., and the paper's as paper_NAME."""
    papers = by_row(table)
    made = []
    for row in summary(table, rows).to_dict("records"):
        told = {key: row[key] for key in ("row", "seeds", "note")}
        for column in table.shown(rows):
            intervals = {column.name: row[column.name]}
            if column.compared and row[f"less {column.name}"] is not None:
                intervals[f"less_{column.name}"] = row[f"less {column.name}"]
            for key, interval in intervals.items():
                told |= {key: interval.mean, f"{key}_lo": interval.lo, f"{key}_hi": interval.hi}
            if column.paper:
                told[f"paper_{column.name}"] = papers.get(row["row"], {}).get(column.paper, "")
        made.append(told)
    return pd.DataFrame(made)


def value(mean: float, column: "Column") -> str:
    """A mean as pages show it."""
    return percent(mean) if column.percent else "–" if pd.isna(mean) else f"{mean:,.3g}" if abs(mean) < 1000 else f"{mean:,.0f}"


def percent(fraction: float) -> str:
    """In percent with two decimals; a dash where it is no number."""
    return "–" if pd.isna(fraction) else f"{100 * fraction:.2f}"


def difference(told: Interval | None, column: "Column") -> str:
    """A paired difference with its interval and what it says; in points where the column is of fractions."""
    if told is None or pd.isna(told.mean):
        return ""
    unit = 100 if column.percent else 1
    if pd.isna(told.lo):
        return f"{unit * told.mean:+.2f}, {ONE_SEED}"
    sign = told.mean * column.better
    verdict = EQUAL if not told.told_apart else "better" if sign > 0 else "worse" if sign < 0 else "different"
    return f"{unit * told.mean:+.2f} ({unit * told.lo:+.2f} to {unit * told.hi:+.2f}), {verdict}"


def plot_intervals(shown: Mapping[str, Interval], path: Path, title: str, label: str, column: "Column") -> None:
    """Means with their intervals, a line each: better ones blue, worse ones red, what holds 0 or is of one seed grey."""
    from matplotlib.figure import Figure

    unit = 100 if column.percent else 1
    figure = Figure(figsize=(7, 0.8 + 0.3 * max(1, len(shown))), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=_GREY, linewidth=1)
    names = list(shown)[::-1]
    for place, name in enumerate(names):
        told = shown[name]
        colour = _GREY if not told.told_apart else _BLUE if told.mean * column.better >= 0 else _RED
        ends = [[max(0.0, unit * (told.mean - told.lo))], [max(0.0, unit * (told.hi - told.mean))]]
        axes.errorbar(unit * told.mean, place, xerr=None if pd.isna(told.lo) else ends, fmt="o", color=colour, capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(label)
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure of matplotlib's, in the format of the path's ending, so that an equal picture is an equal file."""
    from matplotlib import rc_context

    with atomic_file(path) as part, rc_context({"svg.hashsalt": path.name}):
        kind = path.suffix.removeprefix(".")
        figure.savefig(part, format=kind, metadata={"Date": None} if kind == "svg" else None, dpi=120)


def line(cells: list[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
