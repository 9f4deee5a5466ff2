"""The filter experiment: do outliers help a detector, and does it matter which? Paper Table 2, over several seeds; DESIGN item 10 and "Harm".

`python -m badood experiment --preset P` measures it and writes results/filters-P.json and .md.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from badood.benchmark.pages import difference, percent, plot_intervals
from badood.benchmark.seeded import FIGURES, Seeded
from badood.benchmark.seeds import experiment_key, measured, missing, plain, records
from badood.benchmark.table import AUROC, FPR95
from badood.config import Config, Filter
from badood.core.artefacts import atomic_file, write_json
from badood.core.places import results
from badood.core.progress import Progress
from badood.evaluate.metrics import FPR95_OPENOOD
from badood.evaluate.ood_types import TYPES
from badood.evaluate.paired import Interval, mean_of
from badood.pipeline.artefacts import Typed
from badood.pipeline.preflight import preflight
from badood.pipeline.results import Results
from badood.pipeline.runs import Run, new_id, start_run
from badood.pipeline.stages.select import filter_table

BANDS = ("high", "mid", "low", "q-mid")
STRATEGIES = ("random", *BANDS, "auto", "least-harm", "dos", "outlier-gradient")
"""Compared at equal numbers of outliers."""
REMOVED = 0.2
"""Share of the outliers that the removal rows leave out."""
FOIL = {"random": ("none", "real", *STRATEGIES[1:]), "20 % less, random": ("20 % less, harm", "20 % less, confidence")}
"""By row, the rows that are held against it."""
HELP = ("real", "all", "random", "least-harm")
"""Rows that are held against no outliers at all, too."""
QUANTILES = [0.05, 0.5, 0.95]


def run_experiment(cfg: Config, seeds: int, progress: Progress | None = None, folder: Path | None = None, label: str = "") -> Path:
    """Every way to choose outliers, with every seed; written after each seed, and seeds that the files hold are kept.

    The outliers are the same for all seeds; what changes is the detector's seed (initial weights, order, augmentation), hence the calibration
    and what each band keeps, and what is drawn at random. All rows of a seed share it, so that differences are paired.

    Rows: seed, row, kept, overlap, and `FIGURES` on test data as fractions; not numbers where a filter keeps nothing. "none" is trained on ID
    images alone, "real" on real images of other classes.
    Facts: a row a seed: count (outliers of the rows at equal numbers), id_confidence of outliers and of ID validation at `QUANTILES`, harm's
    rank correlation with id_confidence and with retrains (LDS), and the share of each CLIP type that the mid band removes.

    Returns:
        The Markdown file, as `write` does.
    """
    cfg = plain(cfg)
    found = measured(_path(cfg, label, folder).with_suffix(".json"), cfg)
    rows, facts = found.get("rows", pd.DataFrame()), found.get("facts", pd.DataFrame())
    if wanted := missing(seeds, rows, facts):
        preflight(cfg)
        base = start_run(cfg, f"experiment-{new_id(cfg)}", progress)
        with base.at_work():
            for seed in wanted:
                more, told = _of_seed(base, cfg, seed)
                rows, facts = pd.concat([rows, pd.DataFrame(more)]), pd.concat([facts, pd.DataFrame([told])])
                write(cfg, rows, facts, label, folder)
    return write(cfg, rows, facts, label, folder)


def _of_seed(base: Run, cfg: Config, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and facts of one seed."""
    at = Seeded.of(base, cfg, seed)
    count = at.equal_count([Filter(strategy=name) for name in BANDS], len(at.found.outliers))
    rows = [*at.ends(count), *at.retrained(filters(at.found, count, seed))]
    return [{"seed": seed, **row} for row in rows], {"seed": seed, "count": count, **_facts(at.run, at.found)}


def filters(found: Results, count: int, seed: int) -> dict[str, Filter]:
    """By row: all outliers, each strategy at an equal number, and a fifth removed in three ways."""
    total = len(found.outliers)
    less = total - round(REMOVED * total)
    unsure = np.argsort(found.confidence.outliers, kind="stable")[:less]
    return {
        "all": Filter(strategy="all"),
        **{name: Filter(strategy=name, count=count, seed=seed) for name in STRATEGIES},
        "20 % less, random": Filter(strategy="random", count=less, seed=seed),
        "20 % less, harm": Filter(strategy="least-harm", count=less),
        "20 % less, confidence": Filter(strategy="all", ids=unsure.tolist()),
    }


def _facts(run: Run, found: Results) -> dict[str, Any]:
    table = filter_table(found.outliers, found.described, found.confidence, found.harm)
    groups = {"outliers": pd.Series(found.confidence.outliers), "validation": pd.Series(found.confidence.validation)}
    told: dict[str, Any] = {name: group.quantile(QUANTILES).tolist() for name, group in groups.items()}
    told["lds"] = found.harm.agreement.spearman
    told["harm_confidence"] = float(spearmanr(table["harm"], table["id_confidence"]).statistic) if "harm" in table else np.nan
    kinds = Typed(run.folder / run.record["results"]["types"]).table()["ood_type"].to_pandas()
    outside = ~table["id_confidence"].between(run.cfg.filter.lo, run.cfg.filter.hi)
    return told | {f"removed {kind}": float(outside[kinds == kind].mean()) for kind in TYPES}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a way to choose outliers: row, seeds, kept, overlap, an `Interval` for each of `FIGURES`, and for fpr95 and auroc the paired difference
    from the row that it is held against, as `less fpr95` and `less auroc`."""
    values = _by_row(rows)
    foils = {name: foil for foil, names in FOIL.items() for name in names}
    made = []
    for name, part in values.items():
        foil = values.get(foils.get(name, ""))
        told: dict[str, Any] = {"row": name, "seeds": int(part["auroc"].notna().sum())}
        told |= {"kept": part["kept"].mean(), "overlap": part["overlap"].mean()}
        told |= {key: mean_of(part[key]) for key in FIGURES}
        told |= {f"less {key}": None if foil is None else mean_of(part[key] - foil[key]) for key in ("fpr95", "auroc")}
        made.append(told)
    return pd.DataFrame(made)


def against_none(rows: pd.DataFrame) -> dict[str, tuple[Interval, Interval]]:
    """Of the rows of `HELP`, the paired differences in fpr95 and auroc from the detector without outliers."""
    values = _by_row(rows)
    there = [name for name in HELP if {"none", name} <= values.keys()]
    less = {name: values[name][["fpr95", "auroc"]] - values["none"][["fpr95", "auroc"]] for name in there}
    return {name: (mean_of(each["fpr95"]), mean_of(each["auroc"])) for name, each in less.items()}


def _by_row(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By row its figures, a seed a row."""
    return {str(name): part.set_index("seed") for name, part in rows.groupby("row", sort=False)}


def markdown(rows: pd.DataFrame, facts: pd.DataFrame) -> str:
    """The summary as a page: percent, means and paired differences with 95 % intervals."""
    lines = [
        "| outliers | seeds | kept | overlap with ID | FPR95 ↓ | against random | AUROC ↑ | against random | FPR95 of OpenOOD ↓ | ID accuracy ↑ |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in summary(rows).to_dict("records"):
        cells = [row["row"], str(row["seeds"]), f"{row['kept']:,.0f}", percent(row["overlap"])]
        cells += [percent(row["fpr95"].mean), difference(row["less fpr95"], FPR95)]
        cells += [percent(row["auroc"].mean), difference(row["less auroc"], AUROC)]
        cells += [percent(row[FPR95_OPENOOD].mean), percent(row["id_accuracy"].mean)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| against no outliers | FPR95 ↓ | AUROC ↑ |", "| --- | --- | --- |"]
    for name, (fpr95, auroc) in against_none(rows).items():
        lines.append(f"| {name} | {difference(fpr95, FPR95)} | {difference(auroc, AUROC)} |")
    shares = " / ".join(f"{100 * share:g}" for share in QUANTILES)
    spread = ", ".join(
        f"{name} {' / '.join(f'{value:.3f}' for value in np.mean(facts[column].tolist(), axis=0))}"
        for name, column in (("outliers", "outliers"), ("ID validation", "validation"))
    )
    lines += [
        "",
        "Differences are paired by seed, in points; the rows of a fifth less are held against a fifth less at random. In brackets the 95 % interval. "
        "Of twenty comparisons of equals, one is expected to look like a difference.",
        "",
        f"- id_confidence before filtering at {shares} %, mean over the seeds: {spread}.",
        f"- Rank correlation of harm and id_confidence: {_interval(mean_of(facts['harm_confidence']))}; "
        f"of harm and retrains of the head (LDS): {_interval(mean_of(facts['lds']))}.",
        "- Share that the mid band removes, by CLIP type: "
        + ", ".join(f"{kind} {_interval(mean_of(facts[f'removed {kind}']), 100)} %" for kind in TYPES)
        + ".",
    ]
    return "\n".join(lines) + "\n"


def plot(rows: pd.DataFrame, path: Path, title: str) -> None:
    """The paired differences in AUROC with their intervals, as a picture."""
    shown = {row["row"]: row["less auroc"] for row in summary(rows).to_dict("records") if row["less auroc"] is not None}
    plot_intervals(shown, path, title, "difference in AUROC from as many at random, points (grey: not distinguishable)", AUROC)


def _interval(told: Interval, unit: float = 1.0) -> str:
    return f"{unit * told.mean:.2f} ({unit * told.lo:.2f} to {unit * told.hi:.2f})" if told.count else "not known"


def _path(cfg: Config, label: str, folder: Path | None) -> Path:
    return (folder or results()) / ("-".join(filter(None, ("filters", cfg.preset, label))) + ".md")


def write(cfg: Config, rows: pd.DataFrame, facts: pd.DataFrame, label: str = "", folder: Path | None = None) -> Path:
    """Write the raw rows and facts as JSON, the summary as Markdown and the differences as SVG; returns the Markdown file.

    Args:
        label: names a variant of the preset; it is added to the names of the files. folder: none = the checkout's results.
    """
    path = _path(cfg, label, folder)
    write_json(path.with_suffix(".json"), {"key": experiment_key(cfg), "rows": records(rows), "facts": records(facts)})
    seeds, count = rows["seed"].nunique(), facts["count"].median()
    told = f"Preset {cfg.preset}, {seeds} seeds, mean over the OOD sets, percent; filters are compared at {count:,.0f} outliers."
    with atomic_file(path) as part:
        part.write_text(f"{told}\n\n{markdown(rows, facts)}")
    plot(rows, path.with_suffix(".svg"), f"Preset {cfg.preset}, {seeds} seeds: does it matter which outliers?")
    return path
