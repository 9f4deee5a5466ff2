"""The command line: parse, call, print. Exit codes: 0 done, 1 an error or a failed check, 2 wrong usage or settings."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from badood.config import load_config, preset_names
from badood.core.errors import BadConfig, BadInput, BadOODError
from badood.core.progress import Terminal
from badood.core.ranks import ranks
from badood.pipeline.runs import as_json

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bad-OOD: synthesise outliers, find the harmful ones, retrain.",
)
runs_app = typer.Typer(no_args_is_help=True, help="List, show and delete runs.")
app.add_typer(runs_app, name="runs")

out = Console()
err = Console(stderr=True, highlight=False)

Preset = Annotated[str, typer.Option(help=f"Preset: {', '.join(preset_names())}, or a YAML file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: section.field=value. Repeatable.")]
DataFolder = Annotated[Path | None, typer.Option("--data", help="Folder or file of the ID data.")]
DataSet = Annotated[
    str | None, typer.Option("--dataset", help="What reads --data: folder (a subfolder a class), parquet, ...; default the preset's own.")
]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results on standard output.")]
RunName = Annotated[str, typer.Argument(help="Id or folder of a run.")]


def main() -> None:
    """Entry point: errors of ours end in one message, without a traceback."""
    if not ranks().first:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (lives as long as the process)
    # what is ended from outside says so in its run, like what is stopped by Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=True)
    except BadConfig as error:
        err.print(f"[red]error:[/] {error}", soft_wrap=True)
        sys.exit(2)
    except BadOODError as error:
        err.print(f"[red]error:[/] {error}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("stopped; the same command continues where it was.")
        sys.exit(1)


@app.command()
def run(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; equal settings give an equal default name.")] = None,
    json: Json = False,
) -> None:
    """The whole method: encode, synthesise, decode, detect, calibrate, filter, retrain, evaluate."""
    from badood.pipeline.method import run_pipeline

    progress = _terminal()
    try:
        finished = run_pipeline(load_config(preset, settings or [], data, dataset), name, progress)
    finally:
        progress.close()
    record = finished.record
    if json:
        print(as_json(record))
        return
    _print_filters(record)
    print(
        f"run {finished.id} in {finished.folder}: {record['totals']['wall_seconds']:.0f} s, {record['totals']['peak_rss_mb']:.0f} MB at most"
    )


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="encoder, rdm, tokenizer, mage or clip.")],
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    json: Json = False,
) -> None:
    """Train one of the preset's models; a run that was cut off goes on from its checkpoint."""
    from badood.pipeline.models import MODELS, train_model

    if model not in MODELS:
        raise BadConfig(f"no model {model!r}: give one of {', '.join(MODELS)}.")
    progress = _terminal()
    try:
        path = train_model(load_config(preset, settings or [], data, dataset), model, progress)
    finally:
        progress.close()
    print(as_json({"weights": str(path), "card": str(path.with_suffix(".json"))}) if json else f"weights in {path}")


@app.command()
def synthesise(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    json: Json = False,
) -> None:
    """Outlier embeddings and images only; `run` with the same settings goes on from them."""
    from badood.pipeline.method import synthesise_only

    progress = _terminal()
    try:
        finished, folder = synthesise_only(load_config(preset, settings or [], data, dataset), name, progress)
    finally:
        progress.close()
    print(as_json({"run": finished.id, "images": str(folder)}) if json else f"run {finished.id}: outlier images in {folder}")


@app.command()
def score(
    run: RunName,
    images: Annotated[Path, typer.Argument(help="Folder or parquet file of images.")],
    csv: Annotated[Path | None, typer.Option(help="Write the scores here as CSV.")] = None,
    json: Json = False,
) -> None:
    """id_confidence of any images under a run's detector: 1 = looks ID, 0 = far away."""
    from badood.core.artefacts import atomic_file
    from badood.pipeline.method import score_images

    table = score_images(run, images)
    if csv is not None:
        with atomic_file(csv) as part:
            table.to_csv(part, index=False)
    print(as_json(table.to_dict("records")) if json else table.to_string(index=False))


@app.command()
def evaluate(
    run: RunName,
    ood: Annotated[list[Path], typer.Option("--ood", help="Folder or parquet file of OOD images. Repeatable.")],
    json: Json = False,
) -> None:
    """FPR95, AUROC and AUPR of every detector of a run against any OOD images."""
    from badood.pipeline.method import evaluate_on

    record = evaluate_on(run, ood)
    if json:
        print(as_json(record))
    else:
        _print_filters(record)


@app.command()
def export(
    run: RunName,
    path: Annotated[Path, typer.Argument(help="File or folder to write.")],
    kind: Annotated[
        Literal["folder", "parquet", "csv", "report"],
        typer.Option("--as", help="Image folder, parquet for Hugging Face datasets, scores, HTML."),
    ] = "folder",
    band: Annotated[
        tuple[float, float] | None, typer.Option(help="Only outliers with LO <= id_confidence <= HI; the band shown in a report.")
    ] = None,
    json: Json = False,
) -> None:
    """A run's outliers for other tools, or a report of the run as one HTML file."""
    from badood.explore.export import EXPORTS
    from badood.explore.finished import finished
    from badood.explore.queries import Filters
    from badood.explore.report import write_report

    found = finished(run)
    if path.is_file():
        raise BadInput(f"{path} exists; give a new name, or remove it first.")
    if kind == "report":
        written = write_report(found, path, band)
    else:
        ids = None if band is None else found.outliers.ids(Filters(id_confidence=band)).tolist()
        written = EXPORTS[kind](found.outliers, path, ids)
    print(as_json({"written": str(written)}) if json else f"wrote {written}")


@runs_app.command("list")
def list_command(json: Json = False) -> None:
    """All runs, newest first."""
    from badood.pipeline.runs import list_runs

    found = [{key: run.record.get(key) for key in ("run_id", "created", "state", "totals")} for run in list_runs()]
    if json:
        print(as_json(found))
        return
    table = Table("run", "created", "state", "seconds")
    for entry in found:
        table.add_row(entry["run_id"], entry["created"], entry["state"], str((entry["totals"] or {}).get("wall_seconds", "")))
    out.print(table)


@runs_app.command("show")
def show_command(run: RunName, json: Json = False) -> None:
    """One run: its tables, timings and settings."""
    from badood.pipeline.runs import open_run

    record = open_run(run).record
    if json:
        print(as_json(record))
        return
    if record["state"] != "done":
        print(f"state: {record['state']}" + (f": {record['error']}" if record.get("error") else ""))
    _print_filters(record)
    table = Table("stage", "seconds", "peak MB")
    for stage, entry in record["stages"].items():
        table.add_row(stage, f"{entry['wall_seconds']:.1f}", f"{entry['peak_rss_mb']:.0f}")
    out.print(table)


@runs_app.command("delete")
def delete_command(run: RunName, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a run's folder."""
    from badood.pipeline.runs import delete_run, open_run

    folder = open_run(run).folder
    if not yes and not typer.confirm(f"delete {folder}?"):
        raise BadInput("nothing deleted; answer y, or give --yes.")
    delete_run(run)
    print(f"deleted {folder}")


@app.command("app")
def app_command(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """The dashboard and a worker, on the store in BADOOD_HOME. Ctrl-C ends it; a job that runs is finished first."""
    from badood.config import CHECKOUT
    from badood.core.artefacts import home

    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port), "--server.showEmailPrompt", "false"]
    # the dashboard's own settings lie in the checkout, a relative store starts where the command was given
    os.environ["BADOOD_HOME"] = str(home().resolve())
    os.chdir(CHECKOUT)
    # in this very process: signals reach it, and nothing is left over when it ends
    os.execv(sys.executable, [*command, "--server.headless", str(not browser).lower()])


@app.command()
def worker(
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Jobs done side by side; further ones wait.")] = 1,
) -> None:
    """Do the dashboard's jobs, until Ctrl-C; one that runs is finished first."""
    from badood.jobs.worker import work

    work(at_once)


@app.command()
def experiment(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    seeds: Annotated[int, typer.Option(min=2, max=100, help="Detector seeds; mean and standard deviation are over these.")] = 5,
    label: Annotated[str, typer.Option(help="Name of a variant made with --set, added to the names of the files.")] = "",
    json: Json = False,
) -> None:
    """The filter experiment (paper Table 2) over several seeds; writes results/filters-PRESET-LABEL.json and .md."""
    from badood.benchmark.filter_experiment import run_experiment, write

    cfg, progress = load_config(preset, settings or [], data, dataset), _terminal()
    try:
        table = run_experiment(cfg, seeds, progress)
    finally:
        progress.close()
    written = write(cfg, table, label)
    print(as_json(table.to_dict("records")) if json else written.read_text())


@app.command("check-assets")
def check_assets(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    save: Annotated[bool, typer.Option("--save", help="Also write results/assets-PRESET.json, which the README quotes.")] = False,
    json: Json = False,
) -> None:
    """Measure the shipped models: k-NN accuracy, PSNR, decode consistency, CLIP top-1, minority score by scale."""
    from badood.benchmark.assets import check, write

    cfg, progress = load_config(preset, settings or [], data, dataset), _terminal()
    try:
        figures = check(cfg, progress)
    finally:
        progress.close()
    if save:
        write(cfg, figures)
    if json:
        print(as_json({cfg.preset: figures}))
        return
    for key, value in figures.items():
        print(f"{key:>24}  {value if isinstance(value, list) else round(value, 4)}")


@app.command()
def conformance(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of recorded case files (*.safetensors) and their checkpoints.")],
    json: Json = False,
) -> None:
    """Compare this machine's arithmetic with tensors recorded from the original implementations."""
    from dataclasses import asdict
    from math import isfinite

    from badood.benchmark.conformance import run_conformance

    results = run_conformance(folder)
    if json:
        # a broken case has no difference, and JSON has no infinity
        print(as_json([asdict(result) | ({} if isfinite(result.max_abs_diff) else {"max_abs_diff": None}) for result in results]))
    else:
        colours = {"pass": "green", "fail": "red", "deviates": "yellow"}
        table = Table("case", "max abs diff", "tolerance", "status")
        for result in results:
            status = f"[{colours[result.status]}]{result.status}[/]"
            table.add_row(result.case, f"{result.max_abs_diff:.3g}", f"{result.tolerance:.3g}", status)
        out.print(table)
        for result in results:
            if result.reason:
                print(f"{result.case}: {result.status}: {result.reason}")
    if any(result.status == "fail" for result in results):
        raise typer.Exit(1)


@app.command()
def bench(
    sizes: Annotated[list[str] | None, typer.Option("--size", help="small, B or L. Repeatable; all without.")] = None,
    stages: Annotated[list[str] | None, typer.Option("--stage", help="encode, synthesise or decode. Repeatable; all without.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Images timed; the table scales to 100.")] = 4,
    plain_images: Annotated[int, typer.Option(min=1, help="Images timed on the plain path.")] = 1,
    plain_steps: Annotated[int, typer.Option(min=1, help="Decoding steps timed on the plain path, scaled to all of the preset's.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="Timings of which the median is taken.")] = 3,
    cpu_time: Annotated[bool, typer.Option("--cpu-time", help="Processor time, for a machine that does other work as well.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Write results/speed.json and results/speed.md.")] = False,
    json: Json = False,
) -> None:
    """Time encode, synthesise and decode per 100 images beside a plain float32 path; where weights are missing, with random ones."""
    from badood.benchmark import speed

    load = speed.Load(repeats=repeats, images=images, plain_images=plain_images, plain_steps=plain_steps, cpu_time=cpu_time)
    progress = _terminal()
    try:
        result = speed.bench(speed.chosen_sizes(sizes or []), speed.chosen_stages(stages or []), load, progress)
    finally:
        progress.close()
    if save:
        speed.write(result)
    print(as_json(result) if json else speed.markdown(result))


def _terminal() -> Terminal:
    return Terminal(Console(stderr=True, quiet=not ranks().first))


def _print_filters(record: dict[str, Any]) -> None:
    """The filter table, in percent: lower FPR95 and higher AUROC, AUPR are better. Below it what to beware of."""
    from badood.filter import OVERLAP_ADVICE, OVERLAP_LIMIT

    table = Table("filter", "kept", "overlap", "FPR95", "AUROC", "AUPR", "ID acc.", title="mean over the OOD sets, %")
    for name, row in record["metrics"].items():
        if "empty" in row:
            table.add_row(name, "0", "", "keeps none")
            continue
        figures = [f"{100 * row[key]:.2f}" for key in ("overlap", "fpr95", "auroc", "aupr", "id_accuracy")]
        table.add_row(name, f"{row['kept']:,}", *figures)
    out.print(table)
    near = [name for name, row in record["metrics"].items() if row.get("warning")]
    if near:
        err.print(
            f"[yellow]overlap:[/] of what {', '.join(near)} keep, more than {100 * OVERLAP_LIMIT:.0f} % look as much like ID as 95 % of "
            f"ID validation images do; {OVERLAP_ADVICE}"
        )
    for name, row in record["metrics"].items():
        if "uncalibrated" in row:
            err.print(f"[yellow]{name}:[/] {row['uncalibrated']}")
    if record.get("advice"):
        err.print(f"[yellow]advice:[/] {record['advice']}")
