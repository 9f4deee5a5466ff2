"""Do previews foretell full retrains? Bands ranked by both. DESIGN item 9.

`python -m badood experiment --previews --preset P` measures it and writes results/previews-P.json and .md.
"""

from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from badood.benchmark.seeded import Seeded
from badood.benchmark.seeds import experiment_key, measured, missing, plain, records
from badood.config import Config, Filter
from badood.core.artefacts import atomic_file, write_json
from badood.core.places import results
from badood.core.progress import Progress
from badood.evaluate.agreement import Agreement, agreement
from badood.pipeline.path import retrain_all
from badood.pipeline.preflight import preflight
from badood.pipeline.runs import new_id, start_run

LIMITS = 7
"""Limits of the bands, at even quantiles of the outliers' confidence: 21 bands, each of a sixth of the outliers or more."""

ASKED = {
    "fpr95": ("preview_fpr95", "FPR95 of the preview, FPR95 of the retrain on test images"),
    "auroc": ("preview_auroc", "AUROC of the preview, AUROC of the retrain on test images"),
    "validation_auroc": ("preview_auroc", "AUROC of the preview, AUROC of the retrain on validation images"),
}
"""By a retrain's figure: the preview's column that foretells it, and both in words."""

_OF_SET = "auroc "
"""How the columns of single OOD sets begin."""


def run_previews(cfg: Config, seeds: int, progress: Progress | None = None, folder: Path | None = None) -> Path:
    """Every band previewed once, and retrained in full with every seed; the first detector, and so the bands, are those of seed 0.

    Written after each seed; seeds that the files hold are kept. A row a seed and band: seed, lo, hi, kept, preview_fpr95 and preview_auroc
    (validation images), fpr95 and auroc (test images, mean over the OOD sets), "auroc SET" of each OOD set, validation_auroc.

    Returns:
        The Markdown file, as `write` does.
    """
    cfg = plain(cfg)
    table = measured(_path(cfg, folder).with_suffix(".json"), cfg).get("rows", pd.DataFrame())
    if wanted := missing(seeds, table):
        preflight(cfg)
        base = start_run(cfg, f"experiment-{new_id(cfg)}", progress)
        with base.at_work():
            found = Seeded.of(base, cfg, cfg.detector.seed).found
            confidence = found.confidence.outliers
            limits = [0.0, *np.quantile(confidence, np.linspace(0, 1, LIMITS))[1:-1].tolist(), 1.0]
            bands = {f"{lo:.3f} to {hi:.3f}": Filter(lo=lo, hi=hi) for lo, hi in combinations(limits, 2)}
            previews = {
                name: found.previews.head_metrics((confidence >= band.lo) & (confidence <= band.hi)) for name, band in bands.items()
            }
            for seed in wanted:
                at = Seeded.of(base, cfg, seed)
                made = retrain_all(at.do, at.run, found, bands)
                rows = [
                    {"seed": seed, "lo": bands[name].lo, "hi": bands[name].hi, "kept": row.kept}
                    | {f"preview_{key}": previews[name][key] for key in ("fpr95", "auroc")}
                    | {"fpr95": row.fpr95, "auroc": row.auroc, "validation_auroc": row.validation["auroc"]}
                    | {f"{_OF_SET}{ood}": each["auroc"] for ood, each in row.per_set.items()}
                    for name, row in made.items()
                ]
                table = pd.concat([table, pd.DataFrame(rows)])
                write(cfg, table, folder)
    return write(cfg, table, folder)


def agreements(table: pd.DataFrame) -> dict[str, Agreement]:
    """By figure of a full retrain, how well previews rank the bands by it; the retrain's is the mean over its seeds."""
    bands = table.groupby(["lo", "hi"]).mean()
    return {figure: agreement(bands[preview], bands[figure]) for figure, (preview, _) in _asked(table).items()}


def _asked(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """`ASKED`, and the AUROC on the test images of every single OOD set."""
    sets = [str(name) for name in table.columns if str(name).startswith(_OF_SET)]
    return ASKED | {name: ("preview_auroc", f"AUROC of the preview, AUROC of the retrain on {name.removeprefix(_OF_SET)}") for name in sets}


def between_seeds(table: pd.DataFrame) -> list[float]:
    """How well the retrains of one seed foretell those of another, by test AUROC: what no preview can go far beyond. One figure a pair of seeds."""
    seeds = table.pivot_table(index=["lo", "hi"], columns="seed", values="auroc")
    return [agreement(seeds[one], seeds[other]).spearman for one, other in combinations(seeds.columns, 2)]


def _path(cfg: Config, folder: Path | None) -> Path:
    return (folder or results()) / f"previews-{cfg.preset}.md"


def write(cfg: Config, table: pd.DataFrame, folder: Path | None = None) -> Path:
    """Write rows and agreements as JSON and a summary as Markdown; returns the Markdown file.

    Args:
        folder: none = the checkout's results.
    """
    found, path = agreements(table), _path(cfg, folder)
    content = {"agreements": {name: asdict(each) for name, each in found.items()}, "rows": records(table)}
    write_json(path.with_suffix(".json"), {"key": experiment_key(cfg), **content})
    seeds, pairs = table["seed"].nunique(), between_seeds(table)
    lines = [
        f"Preset {cfg.preset}, {len(table) // seeds} bands, full retrains with {seeds} seeds. Spearman's rank correlation over the bands, with its 95 % interval.",
        "",
        "| ranked by | correlation |",
        "| --- | --- |",
        *(f"| {words} | {found[name]} |" for name, (_, words) in _asked(table).items()),
        *([f"| AUROC of one seed's retrains, AUROC of another's | {np.mean(pairs):.2f}, mean of {len(pairs)} pairs |"] if pairs else []),
    ]
    with atomic_file(path) as part:
        part.write_text("\n".join(lines) + "\n")
    return path
