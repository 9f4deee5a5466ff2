"""The filter experiment: does it pay to keep mid-confidence outliers only? Paper Table 2, over several seeds.

`python -m badood experiment --preset P` measures it and writes results/filters-P.json and .md.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from badood.config import Config
from badood.core.artefacts import atomic_file, write_json
from badood.core.places import results
from badood.core.progress import Progress
from badood.pipeline.engines import Processes
from badood.pipeline.filter_rows import ROW_METRICS
from badood.pipeline.path import asked, find, retrain_all
from badood.pipeline.preflight import preflight
from badood.pipeline.runs import Run, start_run
from badood.pipeline.sets import read_images
from badood.pipeline.stage import Context

QUANTILES = [0.05, 0.5, 0.95]


def run_experiment(cfg: Config, seeds: int, progress: Progress | None = None) -> pd.DataFrame:
    """Every filter of `cfg.evaluate.filters` with every seed.

    The outliers are the same for all seeds; what changes is the detector's seed (initial weights, order, augmentation), hence
    the calibration and what each band keeps, and the draw of the random filter.

    Returns:
        A row a seed and filter: seed, filter, kept, overlap, fpr95, auroc, aupr, id_accuracy (fractions). Filters that keep
        nothing have kept = 0 and no figures. Beside them, the same for all rows of a seed: id_confidence of the outliers and of ID
        validation at `QUANTILES`.
    """
    cfg = cfg.model_copy(update={"evaluate": cfg.evaluate.model_copy(update={"scorers": []})})  # the table is of our score alone
    preflight(cfg)
    base = start_run(cfg, progress=progress)
    rows: list[dict[str, Any]] = []
    with base.at_work():
        for seed in range(seeds):
            seeds_of = {"detector": cfg.detector, "filter": cfg.filter}
            seeded = cfg.model_copy(update={name: part.model_copy(update={"seed": seed}) for name, part in seeds_of.items()})
            run = Run(base.folder, seeded, base.progress)
            do = Processes(run, Context(seeded.compute, base.progress))
            found = find(do, run, read_images(do, seeded))
            groups = {"outliers": pd.Series(found.confidence.outliers), "validation": pd.Series(found.confidence.validation)}
            spread = {name: group.quantile(QUANTILES).tolist() for name, group in groups.items()}
            for name, row in retrain_all(do, run, found, asked(seeded)).items():
                figures = {key: getattr(row, key) for key in ("kept", "overlap", "lo", "hi", *ROW_METRICS)}
                rows.append({"seed": seed, "filter": name, **figures, **spread})
    return pd.DataFrame(rows)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds (n - 1), a row a filter, in the table's order."""
    grouped = table.groupby("filter", sort=False)[["kept", "overlap", *ROW_METRICS]]
    return grouped.agg(["mean", "std"])


def markdown(table: pd.DataFrame) -> str:
    """The summary as the README shows it: percent, mean ± standard deviation over the seeds whose band keeps anything."""
    lines = [
        "| filter | seeds | kept | overlap with ID | FPR95 ↓ | AUROC ↑ | AUPR ↑ | ID accuracy ↑ |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    used = table[table["kept"] > 0].groupby("filter").size()
    for name, row in summarise(table).iterrows():
        figures = [_figure(row[key]["mean"], row[key]["std"]) for key in ("overlap", *ROW_METRICS)]
        lines.append(f"| {name} | {used.get(name, 0)} | {row['kept']['mean']:,.0f} | " + " | ".join(figures) + " |")
    shares = " / ".join(f"{100 * share:g}" for share in QUANTILES)
    spread = [f"{name} {_spread(table[column])}" for name, column in (("outliers", "outliers"), ("ID validation", "validation"))]
    lines += ["", f"id_confidence before filtering at {shares} %, mean over the seeds: {', '.join(spread)}."]
    return "\n".join(lines) + "\n"


def _spread(quantiles: "pd.Series[Any]") -> str:
    return " / ".join(f"{value:.3f}" for value in np.mean(quantiles.tolist(), axis=0))


def _figure(mean: float, std: float) -> str:
    """Percent; without a deviation where one seed has a figure, a dash where none has."""
    if pd.isna(mean):
        return "–"
    return f"{100 * mean:.2f}" if pd.isna(std) else f"{100 * mean:.2f} ± {100 * std:.2f}"


def write(cfg: Config, table: pd.DataFrame, label: str = "", folder: Path | None = None) -> Path:
    """Write the raw rows as JSON and the summary as Markdown; returns the Markdown file.

    Args:
        label: names a variant of the preset; it is added to the names of the files. folder: none = the checkout's results.
    """
    folder = folder or results()
    name = "-".join(filter(None, ("filters", cfg.preset, label)))
    write_json(folder / f"{name}.json", table.to_dict("records"))
    path = folder / f"{name}.md"
    with atomic_file(path) as part:
        part.write_text(f"Preset {cfg.preset}, {table['seed'].nunique()} seeds, mean over the OOD sets, percent.\n\n{markdown(table)}")
    return path
