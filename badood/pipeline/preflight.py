"""What can be known to fail is told before the first stage: names, parameters, weights, sources of images and outliers."""

from collections import Counter
from pathlib import Path

import torch

from badood.calibrate import calibrator
from badood.config import Config
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.data.splits import check_source, present
from badood.detect.backbone import Detector
from badood.detect.given import settled
from badood.evaluate.clip import captions, make_clip
from badood.filter import check
from badood.outliers import OutlierSource, outlier_source
from badood.pipeline.cards import check_cards
from badood.pipeline.models import LOADABLE, Loadable, Model, missing
from badood.pipeline.stage import Context
from badood.pipeline.stages.rank import candidates


def preflight(cfg: Config, *, images: bool = True) -> None:
    """Look up what the late stages would look up after the long ones.

    Args:
        images: also the sources of images; not where those of a finished run are used.

    Raises:
        BadConfig: a setting names what nothing has, or two things have one name.
        BadInput: images, outliers or weights are not there.
    """
    _check_names(cfg)
    _check_filters(cfg)
    calibrator[cfg.calibrate.method]
    candidates(cfg)  # every scorer by its name and parameters
    captions(["name"], cfg.clip.templates)
    detector = settled(cfg.detector)
    with torch.device("meta"):  # which computes nothing
        make_clip(cfg.clip.model)
        Detector(detector, classes=2)
    _ = Context(cfg.compute).compute
    sources = outlier_sources(cfg)
    if images:
        _check_images(cfg)
    for source in sources.values():
        source.check()
    lacking = missing(cfg, needed(cfg))
    if lacking:
        commands = ", ".join(f"`python -m badood train {name} --preset {cfg.preset}`" for name in lacking)
        raise BadWeights(
            f"weights are missing: {'; '.join(lacking.values())}. Train them ({commands}), name the file in the setting in brackets, or "
            "bring outliers of your own (--outliers PATH --only-imported), which need none of a generator."
        )
    check_cards(cfg, tuple(dict.fromkeys([*needed(cfg), *describes(cfg)])))


def outlier_sources(cfg: Config) -> dict[str, OutlierSource]:
    """The run's sources of outliers by name."""
    return {entry.name: outlier_source[entry.source].of(cfg, entry) for entry in cfg.outliers}


def needed(cfg: Config) -> tuple[Loadable, ...]:
    """Models that the run cannot do without: its sources' and CLIP."""
    used = {name for source in outlier_sources(cfg).values() for name in source.needs} | {"clip"}
    return tuple(name for name in LOADABLE if name in used)


def describes(cfg: Config) -> tuple[Model, ...]:
    """Models with which outliers are described: the encoder, and the RDM where it is there; none without the encoder."""
    if missing(cfg, ("encoder",)):
        return ()
    return ("encoder",) if missing(cfg, ("rdm",)) else ("encoder", "rdm")


def base_of(cfg: Config) -> Path | None:
    """Where relative paths of OOD sources start: the ID data's folder."""
    return Path(cfg.data.train.path) if cfg.data.train.path else None


def _check_images(cfg: Config) -> None:
    for images in (cfg.data.train, cfg.data.test):
        check_source(images, None)
    for kind, sources in {"auxiliary": cfg.data.auxiliary, "ood": cfg.data.ood}.items():
        found = present(sources, base_of(cfg))
        if not found:
            raise BadInput(
                f"data.{kind} has no set whose files are there: {', '.join(source.name for source in sources) or 'none is named'}; "
                "give the path of one."
            )
        for source in found:
            check_source(source, base_of(cfg))
    for source in present([cfg.data.grid] if cfg.data.grid else [], base_of(cfg)):
        check_source(source, base_of(cfg))


def _check_names(cfg: Config) -> None:
    named_things: dict[str, list[str]] = {
        "outliers": [entry.name for entry in cfg.outliers],
        "data.ood": ["id", *(source.name for source in cfg.data.ood)],
        "data.auxiliary": [source.name for source in cfg.data.auxiliary],
    }
    for setting, names in named_things.items():
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise BadConfig(f'{setting}: the name {twice[0]!r} is given twice ("id" is the ID test set\'s); give each a name of its own.')


def _check_filters(cfg: Config) -> None:
    for strategy in (cfg.filter.strategy, *cfg.evaluate.filters):
        check(cfg.filter.model_copy(update={"strategy": strategy}))
    unknown = sorted(set(cfg.filter.sources) - {entry.name for entry in cfg.outliers})
    if unknown:
        raise BadConfig(
            f"filter.sources names {', '.join(unknown)}; the run's sources are {', '.join(entry.name for entry in cfg.outliers)}."
        )
