"""The command line: parse, call, print. Exit codes: 0 done, 1 an error or a failed check, 2 wrong usage or settings, 130 stopped."""

import io
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from badood.config import load_config, preset_names
from badood.core.errors import BadConfig, BadInput, one_line
from badood.core.progress import Terminal
from badood.core.ranks import ranks
from badood.pipeline.filter_rows import FilterRow
from badood.pipeline.own_detector import given_detector
from badood.pipeline.runs import Run, as_json

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bad-OOD: synthesise outliers, find the harmful ones, retrain.",
)
runs_app = typer.Typer(no_args_is_help=True, help="List, show and delete runs; open the example; push to and pull from other places.")
detector_app = typer.Typer(no_args_is_help=True, help="Detectors that somebody else trained.")
app.add_typer(runs_app, name="runs")
app.add_typer(detector_app, name="detector")

_INTERRUPTED = 130
"""Exit code of what was stopped by Ctrl-C or from outside, as shells have it."""

out = Console()
err = Console(stderr=True, highlight=False)

Preset = Annotated[str, typer.Option(help=f"Preset: {', '.join(preset_names())}, or a YAML file.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: section.field=value. Repeatable.")]
DataFolder = Annotated[Path | None, typer.Option("--data", help="Folder or file of the ID data.")]
DataSet = Annotated[
    str | None, typer.Option("--dataset", help="What reads --data: folder (a subfolder a class), parquet, ...; default the preset's own.")
]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable results on standard output.")]
OutlierPaths = Annotated[
    list[Path] | None,
    typer.Option("--outliers", help="Outliers that something else made: a folder, parquet, tar, .npy or .npz. Repeatable."),
]
DetectorWeights = Annotated[
    str | None,
    typer.Option("--detector", help="Weights that somebody else trained: a file, or timm:NAME, hf_hub:OWNER/NAME, torchvision:NAME."),
]
WhichFilter = Annotated[
    str | None, typer.Option("--filter", help="Row of the filter table whose detector answers; none = the one that validation data choose.")
]
EngineName = Annotated[
    Literal["processes", "local", "ray"],
    typer.Option("--engine", help="Where stages run: processes of this machine, this process alone (local), or a Ray cluster."),
]
Address = Annotated[
    str | None, typer.Option(help="With --engine ray: address of a cluster, or auto on one of its machines; none = of this machine alone.")
]
RunName = Annotated[str, typer.Argument(help="Id or folder of a run.")]


def main() -> None:
    """Entry point: errors of ours end in one message, without a traceback."""
    if not ranks().first:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (lives as long as the process)
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a name that a terminal's encoding lacks is written in escapes, not lost with all that was computed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # what is ended from outside says so in its run, like what is stopped by Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(standalone_mode=True)
    except SystemExit as error:
        if error.code == _INTERRUPTED:  # which typer makes of Ctrl-C
            err.print("stopped; the same command continues where it was.")
        raise
    except Exception as error:
        told = one_line(error)
        if told is None:  # a mistake of ours, which its traceback finds
            raise
        # square brackets of a message are no markup
        err.print("[red]error:[/]", Text(told), soft_wrap=True)
        sys.exit(2 if isinstance(error, BadConfig) else 1)


@app.command()
def run(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    detector: DetectorWeights = None,
    outliers: OutlierPaths = None,
    only_imported: Annotated[
        bool, typer.Option("--only-imported", help="Leave the preset's generator out: its encoder, RDM and MAGE are then not needed.")
    ] = False,
    settings: Set = None,
    name: Annotated[str | None, typer.Option(help="Name of the run; equal settings give an equal default name.")] = None,
    engine: EngineName = "processes",
    address: Address = None,
    json: Json = False,
) -> None:
    """The whole method: encode, make or import outliers, detect, calibrate, filter, retrain, evaluate."""
    from badood.pipeline.engines import engine as engine_of
    from badood.pipeline.own_outliers import with_outliers
    from badood.pipeline.path import run as run_path

    settings = [*given_detector(detector, "tuned"), *(settings or [])]
    cfg = with_outliers(load_config(preset, settings, data, dataset), outliers or [], only=only_imported)
    progress = _terminal()
    try:
        with engine_of(engine, address) as make:
            finished = run_path(cfg, name, progress, make)
    finally:
        progress.close()
    record = finished.record
    if json:
        print(as_json(record))
        return
    _print_filters(finished.rows)
    _print_notices(finished)
    print(
        f"run {finished.id} in {finished.folder}: {record['totals']['wall_seconds']:.0f} s, {record['totals']['peak_rss_mb']:.0f} MB at most"
    )


@app.command()
def audit(
    outliers: Annotated[
        list[Path], typer.Argument(help="What holds the outliers: a folder, parquet, tar, .npy or .npz. Several may be given.")
    ],
    preset: Annotated[str | None, typer.Option(help="Preset whose images calibrate the detector that --detector names.")] = None,
    detector: DetectorWeights = None,
    run: Annotated[str | None, typer.Option(help="Run whose first detector and images are taken, in the place of a preset.")] = None,
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    name: Annotated[str | None, typer.Option(help="Name of the run that is made.")] = None,
    show: Annotated[bool, typer.Option("--app", help="Open it in the dashboard.")] = False,
    json: Json = False,
) -> None:
    """Score, type and show outliers with a detector that exists; nothing is trained."""
    from badood.pipeline.audit import audit as audit_path

    if (preset is None) == (run is None):
        raise BadConfig("audit needs one detector: give --preset, with --detector FILE_OR_NAME where it has none of its own, or --run RUN.")
    progress = _terminal()
    try:
        if run is None:
            settings = [*given_detector(detector, "as-is"), *(settings or [])]
            finished = audit_path(outliers, load_config(preset or "", settings, data, dataset), name, progress)
        else:
            finished = audit_path(outliers, run, name, progress)
    finally:
        progress.close()
    record = finished.record
    print(as_json(record) if json else _audited(finished.id, record))
    _print_notices(finished)
    if show:
        _dashboard(8501, browser=True, run=finished.id)


@app.command()
def train(
    model: Annotated[
        str, typer.Argument(help="encoder, rdm, tokenizer, mage, clip; dit, ldm, pixels; detector; or all, for images of your own.")
    ],
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Start from given weights of the same sizes: cifar (32 px), miniworld (64 px), or a preset."),
    ] = None,
    size: Annotated[int | None, typer.Option(help="With all: side of the images in px, 32, 64 or 128; none = by the images.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="With all: fewer steps, so that it takes about so long.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the folder for models of your own images; none = as the images' is called.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace other weights that lie in the place.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With all: do not ask before it begins.")] = False,
    json: Json = False,
) -> None:
    """Train one of the preset's models, the classifier that its detectors start from, or all five models for images of your own.

    A training that was cut off goes on from its checkpoint. Weights that lie in the place are kept. Models of your own images go into BADOOD_HOME/models.
    """
    from badood.pipeline.models import TRAINABLE
    from badood.pipeline.own_models import apart
    from badood.pipeline.train import train_model
    from badood.pipeline.train_all import begin_all, train_all
    from badood.pipeline.wish import SHIPPED, Wish

    one = next((each for each in TRAINABLE if each == model), None)
    if one is None and model != "all":
        raise BadConfig(f"no model {model!r}: give one of {', '.join(TRAINABLE)}, or all.")
    if one is not None and (size is not None or minutes is not None):
        raise BadConfig("--size and --minutes belong to `train all`; one model is trained as its preset says.")
    progress = _terminal()
    try:
        if one is not None:
            cfg = apart(load_config(preset, settings or [], data, dataset), name)
            begun = None if start is None else load_config(SHIPPED.get(start, start))
            path = train_model(cfg, one, progress, start=begun, replace=replace)
            print(as_json({"weights": str(path), "card": str(path.with_suffix(".json"))}) if json else f"weights in {path}")
            return
        if data is None:
            raise BadConfig("train all makes models for images of your own: give them with --data FOLDER.")
        if preset != "miniworld":
            raise BadConfig(
                "train all takes its sizes from the images (--size), or from the models that it starts from (--from), not --preset."
            )
        wish = Wish(data, dataset, name, size=size, start=start, minutes=minutes, settings=tuple(settings or ()))
        plan = begin_all(wish, replace=replace)
        err.print(Text(plan.told))
        if not yes and sys.stdin.isatty() and not typer.confirm("begin?"):
            raise BadInput("nothing trained; answer y, or give --yes. --minutes makes it shorter.")
        made = train_all(wish, plan, progress)
    finally:
        progress.close()
    print(as_json(made.to_json()) if json else made.told)


@app.command()
def synthesise(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    outliers: OutlierPaths = None,
    settings: Set = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    engine: EngineName = "processes",
    address: Address = None,
    json: Json = False,
) -> None:
    """Outliers only, without a detector; `run` with the same settings and name goes on from them."""
    from badood.pipeline.engines import engine as engine_of
    from badood.pipeline.own_outliers import with_outliers
    from badood.pipeline.path import synthesise as synthesise_path

    cfg = with_outliers(load_config(preset, settings or [], data, dataset), outliers or [])
    progress = _terminal()
    try:
        with engine_of(engine, address) as make:
            finished, made = synthesise_path(cfg, name, progress, make)
    finally:
        progress.close()
    counts = {name: part.count for name, part in made.parts}
    told = (
        f"run {finished.id}: {', '.join(f'{count:,} outliers of {name}' for name, count in counts.items())}; look at them with `badood app`"
    )
    print(as_json({"run": finished.id, "outliers": counts}) if json else told)


@app.command()
def score(
    run: RunName,
    images: Annotated[Path, typer.Argument(help="Folder or parquet file of images.")],
    filter_name: WhichFilter = None,
    csv: Annotated[Path | None, typer.Option(help="Write the scores here as CSV.")] = None,
    json: Json = False,
) -> None:
    """id_confidence, class and anomaly of any images under a run's detector: 1 = looks ID, 0 = far away."""
    from badood.core.artefacts import atomic_file, vacant
    from badood.pipeline.ask import score as score_images

    if csv is not None:
        vacant(csv)
    asked = score_images(run, images, filter_name)
    err.print(Text(asked.told))
    if csv is not None:
        with atomic_file(csv) as part:
            asked.table.to_csv(part, index=False)
    if json:
        print(as_json({"filter": asked.filter, "scores": asked.table.to_dict("records"), "skipped": asked.skipped}))
    elif csv is None:
        print(asked.table.to_string(index=False))


@app.command()
def evaluate(
    run: RunName,
    ood: Annotated[list[Path], typer.Option("--ood", help="Folder or parquet file of OOD images. Repeatable.")],
    filter_name: WhichFilter = None,
    every: Annotated[bool, typer.Option("--all", help="Every detector of the run, not only the chosen one.")] = False,
    json: Json = False,
) -> None:
    """FPR95, AUROC and AUPR of a run's detector against any OOD images, by set and in the mean."""
    from badood.pipeline.ask import evaluate as evaluate_on

    asked = evaluate_on(run, ood, filter_name, every=every)
    if json:
        rows = {name: row.to_json() for name, row in asked.rows.items()}
        print(as_json({"run": asked.run, "ood": asked.ood, "metrics": rows, "notices": asked.notices, "skipped": asked.skipped}))
        return
    err.print(Text(asked.told))
    for notice in asked.notices:
        err.print("[yellow]notice:[/]", Text(notice))
    _print_filters(asked.rows)
    if len(asked.ood) > 1:
        for name, row in asked.rows.items():
            _print_sets(name, row)


@app.command()
def harm(
    run: RunName,
    subsets: Annotated[
        int, typer.Option(min=4, max=10_000, help="Random halves of the outliers on which the last layer is retrained.")
    ] = 300,
    top: Annotated[int, typer.Option(min=1, help="How many of the most harmful outliers to list.")] = 10,
    json: Json = False,
) -> None:
    """Which outliers harm the detector most, and how well that estimate foretells retrains of the last layer."""
    from badood.filter import NO_HARM
    from badood.pipeline.engines import Local
    from badood.pipeline.opened import recorded
    from badood.pipeline.runs import open_run
    from badood.pipeline.stage import Context
    from badood.pipeline.stages.harm import harm as harm_stage

    progress = _terminal()
    try:
        opened = open_run(run, progress)
        with opened.at_work():
            found = recorded(opened)
            measured = Local(opened, Context(opened.cfg.compute, progress))(harm_stage, subsets, found.previews)
    finally:
        progress.close()
    told, table = measured.agreement, measured.table().to_pandas()
    names = found.outliers.table().to_pandas().assign(id_confidence=found.confidence.outliers)
    worst = (
        names.assign(harm=table["harm"]).nlargest(top, "harm")[["outlier_id", "source", "id_confidence", "harm"]]
        if told.trusted
        else names[:0]
    )
    if json:
        print(as_json({"run": opened.id, "lds": asdict(told), "trusted": told.trusted, "most_harmful": worst.to_dict("records")}))
        return
    print(f"rank correlation of foretold and real retrains of the last layer (LDS): {told}")
    if not told.trusted:
        print(f"{NO_HARM[0].upper()}{NO_HARM[1:]}")
        return
    listed = Table("outlier", "source", "id_confidence", "harm", title="most harmful, harm in millionths of AUROC")
    for row in worst.itertuples():
        listed.add_row(str(row.outlier_id), str(row.source), f"{row.id_confidence:.3f}", f"{row.harm:+.3g}")
    out.print(listed)


@app.command()
def export(
    run: RunName,
    path: Annotated[Path, typer.Argument(help="File or folder to write.")],
    kind: Annotated[
        Literal["folder", "parquet", "csv", "report"] | None,
        typer.Option("--as", help="Image folder, parquet for Hugging Face datasets, scores, HTML; none = by the ending of the name."),
    ] = None,
    band: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LO HI", help="Only outliers with LO <= id_confidence <= HI; the band shown in a report."),
    ] = None,
    json: Json = False,
) -> None:
    """A run's outliers for other tools, or a report of the run as one HTML file."""
    from badood.core.artefacts import vacant
    from badood.explore.export import EXPORTS, kind_of
    from badood.explore.finished import finished
    from badood.explore.queries import Filters
    from badood.explore.report import write_report
    from badood.store import open_database, tags, verdicts

    found, kind = finished(run), kind or kind_of(path)
    vacant(path)
    if kind == "report":
        written = write_report(found, path, band, verdicts.of_each(open_database(), found.run.id))
    else:
        ids = None if band is None else found.outliers.ids(Filters(id_confidence=band)).tolist()
        written = EXPORTS[kind](found.outliers, path, ids, tags.with_verdicts(open_database(), found.run.id))
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

    opened = open_run(run)
    record = opened.record
    if json:
        print(as_json(record))
        return
    if record["state"] != "done":
        print(f"state: {record['state']}" + (f": {record['error']}" if record.get("error") else ""))
    _print_filters(opened.rows)
    _print_notices(opened)
    table = Table("stage", "seconds", "peak MB")
    for stage, entry in record["stages"].items():
        table.add_row(stage, f"{entry['wall_seconds']:.1f}", f"{entry['peak_rss_mb']:.0f}")
    out.print(table)


@app.command("rerun")
def rerun_command(run: RunName, json: Json = False) -> None:
    """Repeat a finished run from its own record, as RUN-again, and show what came out otherwise; exit code 1 where anything did."""
    from badood.pipeline.rerun import rerun
    from badood.pipeline.runs import open_run

    progress = _terminal()
    try:
        after, differing = rerun(open_run(run), progress)
    finally:
        progress.close()
    if json:
        print(as_json({"run": after.id, "differing": differing.to_dict("records")}))
    elif differing.empty:
        print(f"run {after.id} equals {run}: the same outliers, confidences and figures.")
    else:
        table = Table("place", "what", "before", "after")
        for row in differing.itertuples(index=False):
            table.add_row(*(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row))
        out.print(table)
    if not differing.empty:
        raise typer.Exit(1)


@runs_app.command("example")
def example_command() -> None:
    """Put the small run that ships with the library into the store, to look at before any was made."""
    from badood.pipeline.example import open_example

    print(f"run example lies in {open_example().folder}; look at it with `python -m badood app`.")


@runs_app.command("push")
def push_command(
    run: RunName, url: Annotated[str, typer.Argument(help="Folder that fsspec writes to: s3://bucket/folder, /mnt/share.")]
) -> None:
    """Write a finished run to a URL; what lies there already is not sent again."""
    from badood.pipeline.remote import push
    from badood.pipeline.runs import open_run

    progress = _terminal()
    try:
        moved = push(open_run(run), url, progress)
    finally:
        progress.close()
    print(f"run {run} is at {url}: {moved.files} files, of which {moved.sent} were sent ({moved.sent_bytes / 1e6:,.1f} MB).")


@runs_app.command("pull")
def pull_command(
    url: Annotated[str, typer.Argument(help="Where it was pushed to.")],
    run: Annotated[str | None, typer.Argument(help="Id of the run; none = list those that are there.")] = None,
) -> None:
    """Fetch a run from a URL into the store."""
    from badood.pipeline.remote import at, pull

    if run is None:
        print("\n".join(at(url)) or f"no run at {url}.")
        return
    progress = _terminal()
    try:
        folder = pull(url, run, progress).folder
    finally:
        progress.close()
    print(f"run {run} lies in {folder}; look at it with `badood app`.")


@runs_app.command("delete")
def delete_command(run: RunName, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a run's folder."""
    import getpass

    from badood.pipeline.runs import delete_run
    from badood.store import log, open_database

    if not yes and not typer.confirm(f"delete run {run} with its outliers, detectors and tables?"):
        raise BadInput("nothing deleted; answer y, or give --yes.")
    deleted = delete_run(run)
    log.write(open_database(), "delete run", who=f"{getpass.getuser()} in a terminal", run_id=run)
    print(f"deleted {deleted}")


@app.command("log")
def log_command(
    run: Annotated[str | None, typer.Option("--run", help="Of this run only.")] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="So many at most, the newest.")] = 50,
    json: Json = False,
) -> None:
    """Who changed what: verdicts, retrains, runs started and deleted, newest first."""
    from badood.store import log, open_database

    told = log.read(open_database(), run_id=run, limit=count)
    if json:
        print(told.to_json(orient="records", date_format="iso"))
        return
    table = Table("when", "who", "what", "run", "details")
    for at, *others in told.itertuples(index=False, name=None):
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", *[str(text or "") for text in others])
    out.print(table)


@app.command("app")
def app_command(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on this machine.")] = 8501,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """The dashboard and a worker, on the store in BADOOD_HOME. Ctrl-C ends it; a job that runs is finished first."""
    _dashboard(port, browser=browser)


@app.command()
def worker(
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Jobs done side by side; further ones wait.")] = 1,
) -> None:
    """Do the dashboard's jobs, until Ctrl-C; one that runs is finished first."""
    from badood.jobs.worker import work

    work(at_once)


@detector_app.command("check")
def check_command(
    detector: Annotated[
        str, typer.Argument(metavar="FILE_OR_NAME", help="A weights file, or timm:NAME, hf_hub:OWNER/NAME, torchvision:NAME.")
    ],
    data: Annotated[Path, typer.Option("--data", help="ID test images with classes: folder or parquet file.")],
    dataset: DataSet = None,
    ood: Annotated[list[Path] | None, typer.Option("--ood", help="Folder or parquet file of OOD images. Repeatable.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Field of detector, such as image_size=32. Repeatable.")] = None,
    json: Json = False,
) -> None:
    """What a classifier of your own is: family, classes, normalisation, ID accuracy, and how well its plain energy tells OOD from ID."""
    from badood.benchmark.detector_check import check_detector
    from badood.config import Source, parsed_overrides
    from badood.data.anywhere import source_of
    from badood.data.splits import load
    from badood.pipeline.ask import named_sources

    id_source = source_of(data, holdout=0)
    if dataset is not None:
        id_source = Source(dataset=dataset, path=str(data.resolve()), split="test")
    sets = {name: load(source, None) for name, source in named_sources(ood or []).items()}
    found = check_detector(detector, load(id_source, None), sets, **parsed_overrides(settings or []))
    print(as_json(asdict(found)) if json else found.text())


@app.command()
def experiment(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    seeds: Annotated[int, typer.Option(min=2, max=100, help="Detector seeds, by which all rows are paired.")] = 10,
    label: Annotated[str, typer.Option(help="Name of a variant made with --set, added to the names of the files.")] = "",
    previews: Annotated[
        bool, typer.Option("--previews", help="Instead: do previews foretell full retrains? Writes results/previews-PRESET.json and .md.")
    ] = False,
    json: Json = False,
) -> None:
    """Do outliers help, and does it matter which (paper Table 2)? Paired over seeds; writes results/filters-PRESET-LABEL.json, .md and .svg.

    The files are written after each seed, and seeds that they hold of the same settings and weights are kept: delete them to measure all anew.
    """
    from badood.benchmark.filter_experiment import run_experiment
    from badood.benchmark.preview_experiment import run_previews

    cfg, progress = load_config(preset, settings or [], data, dataset), _terminal()
    try:
        written = run_previews(cfg, seeds, progress) if previews else run_experiment(cfg, seeds, progress, label=label)
    finally:
        progress.close()
    print(written.with_suffix(".json").read_text() if json else written.read_text())


@app.command()
def benchmark(
    name: Annotated[
        str | None, typer.Argument(help="Table or figure, as --list names them; all; or orderings, of what all measured.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"Preset: {', '.join(preset_names())}, or a YAML file; none = that of --id, else miniworld.")
    ] = None,
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Detector seeds, by which rows are paired; one has no interval.")] = 3,
    label: Annotated[str, typer.Option(help="Name of a variant made with --set, added to the names of the files.")] = "",
    root: Annotated[
        Path | None, typer.Option("--root", help="OpenOOD's data root, the folder of benchmark_imglist; where --list looks for OOD sets.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--id", help="ID data set of OpenOOD's protocols: cifar10, cifar100, imagenet200; none = the preset's.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Instead: every table, figure, scorer, source, ... and whether it works here.")
    ] = False,
    json: Json = False,
) -> None:
    """A table or figure of the paper on a preset, over several seeds; writes results/NAME-PRESET.md, .csv, .json and a picture.

    The files are written row by row, and what they hold of the same settings and weights is kept: delete them to measure all anew.
    """
    from badood.benchmark.listing import listed
    from badood.benchmark.orderings import orderings
    from badood.benchmark.reproduce import reproduce, reproduce_all
    from badood.benchmark.wanted import Wanted
    from badood.core.places import results

    chosen = preset or (protocol if protocol in preset_names() else None) or "miniworld"
    places = [None if path is None else str(path.expanduser().resolve()) for path in (data, root)]
    wanted = Wanted(chosen, places[0], dataset, tuple(settings or ()), seeds, label, places[1], protocol)
    if show:
        _print_listed([entry.told for entry in listed(wanted)], json=json)
        return
    if name is None:
        raise BadConfig("benchmark needs the name of a table or figure, or all; --list names them.")
    progress = _terminal()
    try:
        if name == "all":
            written = reproduce_all(wanted, progress)
        elif name == "orderings":
            written = {name: orderings(results(), wanted.config().preset, label)}
        else:
            written = {name: reproduce(name, wanted, progress)}
    finally:
        progress.close()
    texts = {key: path.with_suffix(".json" if json else ".md").read_text() for key, path in written.items()}
    print("\n".join(texts.values()) if not json else f"[{', '.join(texts.values())}]" if name == "all" else texts[name])


def _print_listed(entries: list[dict[str, str]], *, json: bool) -> None:
    if json:
        print(as_json(entries))
        return
    for kind in dict.fromkeys(entry["kind"] for entry in entries):
        print(f"{kind}:")
        for entry in entries:
            if entry["kind"] == kind:
                print(f"  {entry['name']:<24} {entry['state']}\n{'':<26} {entry['what']}")


@app.command("check-assets")
def check_assets(
    preset: Preset = "miniworld",
    data: DataFolder = None,
    dataset: DataSet = None,
    settings: Set = None,
    save: Annotated[
        bool, typer.Option("--save", help="Also write results/assets-PRESET.json, which the README quotes, and a picture of 100 outliers.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure the shipped models: k-NN accuracy, PSNR, decode consistency, CLIP top-1, minority score by scale."""
    from badood.benchmark.assets import check, write
    from badood.core.places import results

    cfg, progress = load_config(preset, settings or [], data, dataset), _terminal()
    try:
        figures = check(cfg, progress, picture=results() / f"outliers-{cfg.preset}.png" if save else None)
    finally:
        progress.close()
    if save:
        write(cfg, figures)
    if json:
        print(as_json({cfg.preset: figures}))
        return
    for key, value in figures.items():
        for part, figure in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{key:>24}  {figure if isinstance(figure, list) else round(figure, 4)}  {part}".rstrip())


@app.command()
def conformance(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of recorded case files (*.safetensors) and their checkpoints.")],
    json: Json = False,
) -> None:
    """Compare this machine's arithmetic with tensors recorded from the original implementations."""
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


def _dashboard(port: int, *, browser: bool, run: str | None = None) -> None:
    """Become the dashboard's process: signals reach it, and nothing is left over when it ends."""
    from badood.core.artefacts import home
    from badood.core.places import dashboard

    os.environ["BADOOD_HOME"] = str(home().resolve())
    command = [sys.executable, "-m", "streamlit", "run", str(dashboard()), "--server.port", str(port), "--server.showEmailPrompt", "false"]
    if run is not None:
        print(f"http://127.0.0.1:{port}/outliers?run={run}")
    os.execv(sys.executable, [*command, "--server.headless", str(not browser).lower()])


def _audited(run: str, record: dict[str, Any]) -> str:
    """What an audit found, in lines."""
    from badood.explore.finished import finished

    found = finished(run)
    lines = [
        f"run {run}: {record['totals']['wall_seconds']:.0f} s; look at it with `badood app` (http://127.0.0.1:8501/outliers?run={run})"
    ]
    for source in found.sources:
        lines.append(found.summary(source))
    return "\n".join(lines)


def _print_notices(run: Run) -> None:
    """What was left out, and what to beware of."""
    from badood.explore.finished import finished

    record = run.record
    if record.get("advice"):
        err.print("[yellow]advice:[/]", Text(record["advice"]))
    for entry in record.get("fit", []):
        err.print("[yellow]fit:[/]", Text(entry["told"]))
    if record.get("fit_accepted"):
        err.print("[yellow]accepted although[/]", Text(record["fit_accepted"]))
    for notice in record.get("notices", []):
        err.print("[yellow]notice:[/]", Text(notice))
    for entry in finished(run).left_out.itertuples():
        err.print("[yellow]left out:[/]", Text(f"{entry.count:,} of {entry.set} ({entry.kind}), such as {entry.path}: {entry.reason}"))


def _terminal() -> Terminal:
    return Terminal(Console(stderr=True, quiet=not ranks().first))


def _print_filters(rows: dict[str, FilterRow]) -> None:
    """The filter table, in percent: lower FPR95 and higher AUROC, AUPR are better. Below it what to beware of."""
    from badood.filter import OVERLAP_ADVICE, OVERLAP_LIMIT
    from badood.pipeline.filter_rows import chosen

    if not rows:
        return
    best = chosen(rows)
    table = Table("filter", "kept", "overlap", "FPR95", "AUROC", "AUPR", "ID acc.", title="mean over the OOD sets, %")
    for name, row in rows.items():
        if row.empty:
            table.add_row(name, "0", "", "keeps none")
            continue
        figures = [f"{100 * value:.2f}" for value in (row.overlap, row.fpr95, row.auroc, row.aupr, row.id_accuracy)]
        table.add_row(f"{name} *" if best is not None and best.name == name and len(rows) > 1 else name, f"{row.kept:,}", *figures)
    out.print(table)
    if best is not None and len(rows) > 1:
        err.print(
            f"* chosen on validation data (AUROC {100 * best.validation['auroc']:.2f} % against the auxiliary set), not on these figures"
        )
    near = [name for name, row in rows.items() if row.warning]
    if near:
        err.print(
            f"[yellow]overlap:[/] of what {', '.join(near)} keep, more than {100 * OVERLAP_LIMIT:.0f} % look as much like ID as 95 % of "
            f"ID validation images do; {OVERLAP_ADVICE}"
        )
    for name, row in rows.items():
        if row.uncalibrated:
            err.print(f"[yellow]{name}:[/]", Text(row.uncalibrated))


def _print_sets(name: str, row: FilterRow) -> None:
    table = Table("OOD set", "FPR95", "AUROC", "AUPR", title=f"{name}, by OOD set, %")
    for of, figures in row.per_set.items():
        table.add_row(of, *[f"{100 * figures[key]:.2f}" for key in ("fpr95", "auroc", "aupr")])
    out.print(table)
