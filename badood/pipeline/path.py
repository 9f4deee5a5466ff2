"""The path itself. Read `run` from top to bottom: it is the whole method.

Every stage is a plain function in `stages/` and writes one folder under a key of its settings and of the results that go in. So moving the
band runs filter, retrain and evaluate only, and a run that was killed goes on at the stage that was cut off.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from badood.config import Config, Filter
from badood.config import Detector as DetectorSettings
from badood.core.errors import EmptySelection
from badood.core.progress import Progress
from badood.core.training import total_steps
from badood.pipeline.artefacts import Described, Evaluated, Images, Kept, Outliers, Trained
from badood.pipeline.engines import MakeEngine, Processes
from badood.pipeline.filter_rows import FilterRow, filter_name
from badood.pipeline.models import Models
from badood.pipeline.notices import FEW_STEPS, advice, of_given_weights, of_held_out, of_look, of_ood, of_ranked
from badood.pipeline.opened import recorded
from badood.pipeline.own_models import check_fit, concerns
from badood.pipeline.preflight import describes, needed, outlier_sources, preflight
from badood.pipeline.preview import Previews
from badood.pipeline.results import Results
from badood.pipeline.runs import Run, start_run
from badood.pipeline.sets import Sets, adopt, read_images, read_labelled
from badood.pipeline.stage import Context, Engine, call
from badood.pipeline.stages.calibrate import calibrate
from badood.pipeline.stages.describe import describe
from badood.pipeline.stages.detect import at_once, detect
from badood.pipeline.stages.encode import encode
from badood.pipeline.stages.evaluate import evaluate
from badood.pipeline.stages.features import features
from badood.pipeline.stages.given import GivenWeights, given
from badood.pipeline.stages.harm import harm
from badood.pipeline.stages.outliers import outliers as outliers_of
from badood.pipeline.stages.rank import candidates, rank, settled
from badood.pipeline.stages.rebuild import rebuild
from badood.pipeline.stages.select import everything, select
from badood.pipeline.stages.table import table
from badood.pipeline.stages.types import types


def run(
    cfg: Config, name: str | None = None, progress: Progress | None = None, engine: MakeEngine = Processes, like: Run | None = None
) -> Run:
    """The whole method, continued where an earlier call was cut off. Source: Bad-OOD Fig. 1.

    Args:
        cfg: settings. name: the run's id; equal settings have an equal default. engine: where stages run.
        like: a finished run whose images are used again, wherever they were read from.

    Returns:
        The finished run; its `rows` are the filter table.

    Raises:
        BadInput: what can be known to fail before the first stage, and what a stage ended with.
    """
    preflight(cfg, images=like is None)
    begun = start_run(cfg, name, progress)
    with _state(begun):
        begun.note(outline=outline(cfg))
        do = engine(begun, Context(cfg.compute, begun.progress))
        sets = read_images(do, cfg) if like is None else adopt(begun, like)
        found = find(do, begun, sets)
        for row in retrain_all(do, begun, found, asked(cfg)).values():
            begun.note_row(row)
    return begun


def find(do: Engine, into: Run, sets: Sets) -> Results:
    """Outliers, the first detector, and what it and CLIP say of the outliers: all that comes before the filters."""
    cfg = into.cfg
    into.note_results(**sets.folders)
    into.note(skipped=sets.skipped, advice=advice(cfg, len(sets.train), len(sets.train.classes)))
    training = training_settings(cfg)
    # before the outliers, which take long: weights of other classes end the run here
    start = do(given, training, GivenWeights(cfg.detector.weights), sets.test, sets.validation) if cfg.detector.weights else None
    outliers, described = make_outliers(do, into, sets)
    rebuilt = do(rebuild, sets.train, Models(cfg).only("tokenizer")) if rebuilds(cfg) else None
    notices = [
        *(of_given_weights(start) if start else []),
        *of_look(sets.train, outliers),
        *of_held_out(sets.validation, sets.auxiliary),
        *of_ood(sets.train.classes, sets.ood),
    ]
    into.note(notices=notices)
    first = do(detect, training, start, sets.train, outliers, do(everything, outliers), rebuilt)
    fit = cfg.evaluate.fit_images
    ranked = do(rank, candidates(cfg), fit, first, sets.train, sets.validation, sets.auxiliary)
    scoring = settled(cfg.calibrate, ranked)
    into.note(notices=notices + of_ranked(ranked, scoring))
    confidence = do(calibrate, scoring, fit, first, sets.train, outliers, sets.validation, sets.auxiliary)
    labelled = read_labelled(do, cfg, sets)
    typed = do(types, cfg.clip.model_copy(update={"weights": None}), outliers, sets.train, labelled, Models(cfg).only("clip"))
    seen = do(features, first, sets.train, outliers, sets.validation, sets.auxiliary)
    previews = Previews(seen, first, cfg.detector)
    harmful = do(harm, cfg.evaluate.harm_subsets, previews)
    whole = do(table, outliers, described, confidence, typed, harmful)
    named = {
        "detector": first,
        "ranked": ranked,
        "calibration": confidence,
        "types": typed,
        "features": seen,
        "harm": harmful,
        "outliers": whole,
        "rebuilt": rebuilt,
        "start": start,
    }
    into.note_results(**{name: each.folder for name, each in named.items() if each is not None})
    return Results(sets, outliers, described, rebuilt, start, scoring, confidence, harmful, previews)


def retrain(finished: Run, chosen: Filter, name: str | None = None, engine: MakeEngine = Processes) -> FilterRow:
    """Retrain a finished run's detector on what a filter keeps, from the same start as the first one, and evaluate it.

    Args:
        name: of the new row of the filter table; none = as the filter says.

    Returns:
        The row, which is also in `run.json`.

    Raises:
        EmptySelection: the filter keeps nothing.
    """
    with finished.at_work():
        do = engine(finished, Context(finished.cfg.compute, finished.progress))
        row_name = name or filter_name(chosen)
        row = retrain_all(do, finished, recorded(finished), {row_name: chosen})[row_name]
        if row.empty:
            raise EmptySelection(row.empty)
        finished.note_row(row)
    return row


def retrain_all(do: Engine, into: Run, found: Results, filters: Mapping[str, Filter]) -> dict[str, FilterRow]:
    """Select by every filter, retrain, evaluate: the rows of the filter table.

    A filter that keeps nothing gives a row that says why, so that a table goes on with its other rows.
    """
    kept: dict[str, Kept] = {}
    empty: dict[str, str] = {}
    for name, chosen in filters.items():
        try:
            kept[name] = do(select, chosen, found.outliers, found.described, found.confidence, found.harm, found.previews)
        except EmptySelection as error:
            empty[name] = str(error)
    made = train_each(do, into, found, [(found.outliers, each) for each in kept.values()])
    rows = {name: _row(into, name, filters[name], found.outliers, kept[name], *each) for name, each in zip(kept, made, strict=True)}
    return {name: rows[name] if name in rows else FilterRow(name, chosen, empty=empty[name]) for name, chosen in filters.items()}


def train_each(
    do: Engine, into: Run, found: Results, choices: Sequence[tuple[Outliers | Images | None, Kept | None]]
) -> list[tuple[Trained, Evaluated]]:
    """A detector trained on each choice of outliers, and evaluated.

    Args:
        choices: outliers, or images in their place, and which of them are kept; none and none = ID images alone.
    """
    cfg, sets = into.cfg, found.sets
    brief = total_steps(len(sets.train), cfg.detector) < FEW_STEPS
    together = at_once(sets.train, found.rebuilt, len(asked(cfg)), Context(cfg.compute).compute, brief=brief)
    training = [call(detect, training_settings(cfg), found.start, sets.train, *each, found.rebuilt) for each in choices]
    images = (sets.train, sets.validation, sets.auxiliary, sets.test, sets.ood, sets.grid)
    judging = [call(evaluate, cfg.evaluate.scorers, cfg.evaluate.fit_images, found.scoring, detector, *images) for detector in training]
    judged = do.each(judging, together)  # each trains its detector first
    return list(zip(do.each(training, together), judged, strict=True))


def make_outliers(do: Engine, into: Run, sets: Sets) -> tuple[Outliers, Described | None]:
    """The outliers of every source, and what the encoder says of them. They can be looked at from here on."""
    cfg, settings = into.cfg, into.cfg.synthesise
    encoder = describes(cfg)
    if concerns(cfg, needed(cfg)):
        check_fit(do, into, sets.train)
    encoded = do(encode, sets.train, Models(cfg).only("encoder")) if encoder else None
    made = {
        name: do(outliers_of, source, sets.train, encoded, Models(cfg).only(*source.needs), cfg.data.image_size)
        for name, source in outlier_sources(cfg).items()
    }
    into.note_results(sources={name: each.folder for name, each in made.items()})
    outliers = Outliers(tuple(made.items()))
    if encoded is None:
        return outliers, None
    described = do(describe, outliers, encoded, Models(cfg).only(*encoder), settings.score_renoise, settings.score_samples)
    into.note_results(encoded=encoded.folder, described=described.folder)
    return outliers, described


def synthesise(
    cfg: Config, name: str | None = None, progress: Progress | None = None, engine: MakeEngine = Processes
) -> tuple[Run, Outliers]:
    """Outliers only, without a detector; `run` with the same settings goes on from them."""
    preflight(cfg)
    begun = start_run(cfg, name, progress)
    with _state(begun, done="interrupted"):
        do = engine(begun, Context(cfg.compute, begun.progress))
        sets = read_images(do, cfg)
        begun.note_results(**sets.folders)
        return begun, make_outliers(do, begun, sets)[0]


def asked(cfg: Config) -> dict[str, Filter]:
    """The rows of the run's filter table: the strategies that `evaluate.filters` names, and the run's own filter."""
    own = [cfg.filter.model_copy(update={"strategy": strategy}) for strategy in cfg.evaluate.filters]
    of_one = [each.model_copy(update={"sources": [entry.name]}) for entry in cfg.outliers for each in own]
    several = cfg.evaluate.by_source and len(cfg.outliers) > 1
    return {filter_name(each): each for each in [*own, *(of_one if several else []), cfg.filter]}


def outline(cfg: Config) -> list[str]:
    """Names of the stages of `run` in their order, for those who watch it; those of several filters count once."""
    names = "images split given encode outliers describe rebuild select-all detect rank calibrate types features harm table select evaluate"
    there = {"given": bool(cfg.detector.weights), "encode": bool(describes(cfg)), "rebuild": rebuilds(cfg)}
    return [name for name in names.split() if there.get(name, True)]


def training_settings(cfg: Config) -> DetectorSettings:
    """How detectors are trained; of given weights the content counts, not the path."""
    return cfg.detector.model_copy(update={"weights": None})


def rebuilds(cfg: Config) -> bool:
    """Whether the detector sees ID images rebuilt by the tokenizer: as a share is set, and outliers come through the tokenizer."""
    return cfg.detector.rebuilt_share > 0 and any("tokenizer" in source.needs for source in outlier_sources(cfg).values())


def _row(into: Run, name: str, chosen: Filter, outliers: Outliers, kept: Kept, detector: Trained, evaluated: Evaluated) -> FilterRow:
    told, sources = kept.selection, outliers.sources[kept.mask]
    place = {"selection": kept, "detector": detector, "evaluation": evaluated}
    content = {
        "kept": int(kept.mask.sum()),
        **{key: getattr(told, key) for key in ("lo", "hi", "overlap", "warning", "reason")},
        "sources": {source: int((sources == source).sum()) for source, _ in outliers.parts},
        **{key: str(each.folder.relative_to(into.folder)) for key, each in place.items()},
        **evaluated.metrics,
        "filter": chosen.model_dump(mode="json"),
    }
    return FilterRow.from_json(name, content)


@contextmanager
def _state(begun: Run, done: str = "done") -> Iterator[None]:
    """Says in `run.json` how the run goes."""
    with begun.at_work():
        begun.note(state="running", error="")
        try:
            yield
        except BaseException as error:
            begun.note(state="interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=str(error))
            raise
        begun.note(state=done)
