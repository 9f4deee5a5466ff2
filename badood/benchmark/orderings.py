"""Which of the paper's orderings hold: its rows in pairs, by its own figures and by ours, with intervals. Read from what `benchmark` measured."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from badood.benchmark.pages import EQUAL, ONE_SEED, by_row, line, value
from badood.benchmark.seeds import records
from badood.benchmark.table import FPR95, table
from badood.core.artefacts import atomic_file, read_json, write_json
from badood.core.errors import BadInput
from badood.evaluate.paired import Interval, mean_of

HOLDS, REVERSED, OPEN = "holds", "reversed", EQUAL


@dataclass(frozen=True)
class Ordering:
    """That one row of a table has the lower FPR95 of two, as the paper prints them.

    Attributes:
        table: its name. better, worse: rows of ours.
    """

    table: str
    better: str
    worse: str


_OURS = "minority calibrated"

ORDERINGS = (
    *(Ordering("table1", _OURS, scorer) for scorer in ("msp", "odin", "energy", "mahalanobis", "godin", "knn", "vim", "react", "dice")),
    *(Ordering("table1", _OURS, f"{source} all") for source in ("gan", "vos", "npos", "dream_ood")),
    Ordering("table1", _OURS, "dream_ood calibrated"),
    Ordering("table1", "dream_ood calibrated", "dream_ood all"),
    *(Ordering("table2", "mixed mid", f"mixed {other}") for other in ("×", "random", "high", "low")),
    Ordering("table2", "mixed low", "mixed random"),
    Ordering("table2", "mixed high", "mixed random"),
    Ordering("table5", "beta", "isotonic"),
    Ordering("table5", "beta", "temperature"),
    Ordering("table6", "minority", "gaussian"),
    Ordering("table9", "minority", "sona"),
    Ordering("table9", "minority", "fake_it"),
)
"""What the paper says of FPR95, as far as it prints both figures and both rows can be made here."""


def orderings(folder: Path, preset: str, label: str = "") -> Path:
    """Write "orderings-PRESET.md" into the folder of results, of the tables that lie there.

    Args:
        folder: holds the tables' JSON files. label: of a variant.

    Returns:
        The page; beside it lie .csv and .json with the figures.

    Raises:
        BadInput: no table is there that the orderings are of.
    """
    ending = "-".join(filter(None, (preset, label)))
    found, lacking = [], []
    for name in dict.fromkeys(each.table for each in ORDERINGS):
        path = folder / f"{name}-{ending}.json"
        if not path.is_file():
            lacking.append(name)
            continue
        rows = pd.DataFrame(read_json(path)["rows"])
        papers = by_row(table.make(name))
        figures = {str(row): part.set_index("seed")["fpr95"].astype(float) for row, part in rows.groupby("row")}
        found += [_compared(each, papers, figures) for each in ORDERINGS if each.table == name]
    if not found:
        raise BadInput(f"{folder} holds none of the tables {', '.join(lacking)} of preset {preset}: run `badood benchmark all` first.")
    shown = pd.DataFrame(found)
    page = folder / f"orderings-{ending}.md"
    write_json(page.with_suffix(".json"), records(shown))
    with atomic_file(page.with_suffix(".csv")) as part:
        shown.to_csv(part, index=False)
    with atomic_file(page) as part:
        part.write_text(_page(shown, preset, lacking, _without_outliers(folder / f"table1-{ending}.json")))
    return page


def _without_outliers(path: Path) -> str:
    """What of the lead over a scorer's row is the choice of the score, and not the outliers; empty where Table 1 is not there."""
    if not path.is_file():
        return ""
    rows = pd.DataFrame(read_json(path)["rows"])
    ours, none = (rows[rows["row"] == name].set_index("seed")["fpr95"].astype(float) for name in (_OURS, "none"))
    told = mean_of(ours - none)
    return (
        f"Rows of scorers judge a detector without outliers by that scorer, ours by the score that the preset calibrates. Without outliers the same score has "
        f"FPR95 {value(float(none.mean()), FPR95)}; {_OURS} differs from that by {_difference(told)}, {_verdict(told).replace(HOLDS, 'better').replace(REVERSED, 'worse')}. So much of "
        "a lead over a scorer comes from the outliers; the rest is the choice of the score."
    )


def _compared(claim: Ordering, papers: Mapping[str, Mapping[str, str]], figures: Mapping[str, "pd.Series[float]"]) -> dict[str, object]:
    both = claim.better in figures and claim.worse in figures
    told = mean_of(figures[claim.better] - figures[claim.worse]) if both else mean_of([])
    return {
        "table": claim.table,
        "better": claim.better,
        "worse": claim.worse,
        "paper_better": float(papers[claim.better]["FPR95"]),
        "paper_worse": float(papers[claim.worse]["FPR95"]),
        "difference": told.mean,
        "lo": told.lo,
        "hi": told.hi,
        "seeds": told.count,
        "verdict": _verdict(told),
    }


def _verdict(told: Interval) -> str:
    if told.count < 2:
        return "not measured" if not told.count else ONE_SEED
    return OPEN if not told.told_apart else HOLDS if told.mean < 0 else REVERSED


def _difference(told: Interval) -> str:
    interval = f" ({100 * told.lo:+.2f} to {100 * told.hi:+.2f})" if told.count > 1 else ""
    return f"{100 * told.mean:+.2f}{interval}" if told.count else "–"


def _page(shown: pd.DataFrame, preset: str, lacking: list[str], without: str) -> str:
    counts = Counter(shown["verdict"])
    summed = ", ".join(f"{counts[each]} {each}" for each in dict.fromkeys((HOLDS, REVERSED, OPEN, *counts)) if counts[each])
    lines = [
        f"# Which of the paper's orderings hold on {preset}",
        "",
        f"Of {len(shown)} orderings: {summed}. Made from the tables beside it by `badood benchmark orderings --preset {preset}`.",
        "",
        "A row says that by the paper the first has the lower FPR95. Ours is the difference of FPR95, first less second, in points, paired by seed, with "
        "its 95 % interval: below 0 the ordering holds, above it is reversed, around it the two cannot be told apart with so many seeds. Presets differ "
        "from the paper in images, networks and numbers of outliers; a direction can be compared, a size cannot. Nothing is corrected for the number of "
        "comparisons: of twenty comparisons of equals, one is expected to look like a difference.",
        *([""] if without else []),
        *([without] if without else []),
        "",
        line(["table", "lower FPR95", "than", "the paper", "ours, difference", "seeds", ""]),
        line(["---"] * 7),
    ]
    for row in shown.to_dict("records"):
        ours = _difference(Interval(row["difference"], row["lo"], row["hi"], row["seeds"]))
        papers = f"{row['paper_better']:.2f} against {row['paper_worse']:.2f}"
        lines.append(line([row["table"], row["better"], row["worse"], papers, ours, str(row["seeds"]), row["verdict"]]))
    lines += ["", f"Not made yet: {', '.join(lacking)}."] if lacking else []
    return "\n".join(lines) + "\n"
