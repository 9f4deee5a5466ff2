"""Images of one's own: which models are there for them, and how well each set fits."""

from collections.abc import Sequence
from pathlib import Path

from badood.config import Config, load_config, preset_names
from badood.core.errors import BadInput
from badood.data.sets.part import whole
from badood.pipeline.artefacts import Images
from badood.pipeline.cards import trained_on
from badood.pipeline.fit_check import ModelsFit, refusal
from badood.pipeline.fit_figures import measured_models
from badood.pipeline.models import Loadable, Models, missing
from badood.pipeline.runs import Run
from badood.pipeline.stage import Engine
from badood.pipeline.stages.fit import fit
from badood.pipeline.wish import Wish


def concerns(cfg: Config, used: Sequence[Loadable]) -> bool:
    """Whether it is open if the models fit: a source decodes with them, and the images are none, nor a part of those, that a shipped preset has with them.

    Published models, which have no card, are taken as they are: nobody knows what they do not fit.

    Args:
        used: models that the run's sources of outliers use.
    """
    return "tokenizer" in used and trained_on(cfg) is not None and (whole(cfg.data.train).dataset, cfg.weights) not in _shipped()


def model_sets(cfg: Config) -> dict[str, Config]:
    """The run's own models, and the shipped ones whose weights are there, by the preset that has them."""
    found = {cfg.preset: cfg}
    seen = {cfg.weights}
    for name in preset_names():
        other = load_config(name)
        if other.weights not in seen and not missing(other, measured_models(other)) and trained_on(other) is not None:
            seen.add(other.weights)
            found.setdefault(name, other)
    return found


def apart(cfg: Config, name: str | None = None) -> Config:
    """The settings with a weights folder of their own, where a shipped preset's models are trained on other images than it has.

    Args:
        name: of the folder; none = the images'.
    """
    weights = {folder for _, folder in _shipped()}
    if cfg.weights not in weights or cfg.data.train.path is None or (cfg.data.train.dataset, cfg.weights) in _shipped():
        return cfg
    own = Wish(Path(cfg.data.train.path), name=name)
    return cfg.model_copy(update={"weights": str(own.folder)})


def check_fit(do: Engine, into: Run, train: Images) -> None:
    """Measure the run's models and the other sets on the ID images, and write the figures into `run.json`.

    Raises:
        BadInput: the models fit clearly worse than others, or not at all, and `fit.accept` is not set; names figures and what does.
    """
    fits = []
    for name, cfg in model_sets(into.cfg).items():
        measured = do(fit, train, Models(cfg).only(*measured_models(cfg)), cfg.decode, cfg.data.image_size)
        fits.append(ModelsFit(name, used=cfg is into.cfg, figures=measured.figures))
    refused = refusal(fits)
    into.note(fit=[each.to_json() for each in fits], fit_accepted=refused if into.cfg.fit.accept else "")
    if refused and not into.cfg.fit.accept:
        raise BadInput(refused)


def _shipped() -> set[tuple[str, str]]:
    """Data sets that shipped presets have, with the folder of the weights that they use for them."""
    presets = [load_config(name) for name in preset_names()]
    return {(each.data.train.dataset, each.weights) for each in presets}
