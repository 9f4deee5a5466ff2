"""A run opened by its recorded folders. It makes nothing: to ask, score or preview, no weights are hashed again and no stage is made again."""

from badood.core.errors import BadInput
from badood.detect.scorers import named
from badood.pipeline.artefacts import Confidence, Described, Evaluated, Features, Harm, Ranked, Rebuilt, Trained
from badood.pipeline.filter_rows import FilterRow, chosen
from badood.pipeline.judge import Judge
from badood.pipeline.preview import Previews
from badood.pipeline.raw_score import fit_raw_score
from badood.pipeline.recorded import recorded_outliers
from badood.pipeline.results import Results
from badood.pipeline.runs import Run
from badood.pipeline.sets import recorded_sets
from badood.pipeline.stage import Context
from badood.pipeline.stages.detect import seeing
from badood.pipeline.stages.rank import settled


def recorded(run: Run) -> Results:
    """What a run has found.

    Raises:
        BadInput: it has not come so far.
    """
    record = run.record
    results = record["results"]
    lacking = [name for name in ("train", "sources", "detector", "ranked", "calibration", "features", "harm") if name not in results]
    if lacking:
        raise BadInput(f"run {run.id} has no {lacking[0]} yet (state: {record['state']}); finish it by the command that began it.")
    sets = recorded_sets(run.folder, results)
    return Results(
        sets,
        recorded_outliers(run),
        Described(run.folder / results["described"]) if "described" in results else None,
        Rebuilt(run.folder / results["rebuilt"]) if "rebuilt" in results else None,
        Trained(run.folder / results["start"]) if "start" in results else None,
        settled(run.cfg.calibrate, Ranked(run.folder / results["ranked"])),
        Confidence(run.folder / results["calibration"]),
        Harm(run.folder / results["harm"]),
        Previews(Features(run.folder / results["features"]), Trained(run.folder / results["detector"]), run.cfg.detector),
    )


def chosen_row(run: Run, name: str | None = None) -> FilterRow:
    """The row of the filter table whose detector answers: the named one, or the one that validation data choose.

    Raises:
        BadInput: there is no such row, or none that has a calibrated detector.
    """
    rows = {key: row for key, row in run.rows.items() if not row.empty}
    row = chosen(rows) if name is None else rows.get(name)
    if row is None:
        state = run.record["state"]
        having = (
            f"it has {', '.join(rows)}"
            if rows
            else f"it has no detectors to ask yet (state: {state}); finish it by the command that began it"
        )
        raise BadInput(f"run {run.id} has no filter {name!r} with a detector; {having}." if name else f"run {run.id}: {having}.")
    return row


def judge_of(run: Run, row: FilterRow, *, scorers: bool = False) -> Judge:
    """The detector of a row of the filter table, with its calibrator.

    Args:
        scorers: also the run's baseline scorers, fitted.
    """

    cfg, found = run.cfg, recorded(run)
    ctx = Context(cfg.compute, run.progress)
    sets, most = found.sets, cfg.evaluate.fit_images
    see = seeing(Trained(run.folder / row.detector), ctx)
    made = dict(map(named, cfg.evaluate.scorers)) if scorers else {}
    raw = fit_raw_score(found.scoring.score, see, sets.train, sets.validation, most)
    judge = Judge(see, Evaluated(run.folder / row.evaluation).calibrator, raw, made)
    return judge.fitted(sets.train, sets.validation, most)
