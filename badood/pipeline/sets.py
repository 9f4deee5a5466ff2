"""The images of a run, each set read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from badood.config import Config, NamedSource
from badood.data.splits import present
from badood.evaluate.ood_types import class_names, vocabulary
from badood.pipeline.artefacts import Images
from badood.pipeline.preflight import base_of
from badood.pipeline.runs import Run
from badood.pipeline.stage import Engine
from badood.pipeline.stages.images import Reading, images, split


@dataclass(frozen=True)
class Sets:
    """ID and OOD images.

    Attributes:
        train: ID images that the detector learns from; anchors are among them. validation: ID images it never sees: calibration, tau, bands.
        test: ID test images. auxiliary: semantic OOD for calibration and bands. ood: OOD test sets by name. grid: shift levels, or none.
    """

    train: Images
    validation: Images
    test: Images
    auxiliary: Images
    ood: Mapping[str, Images]
    grid: Images | None

    @property
    def folders(self) -> dict[str, Any]:
        """As `run.json` names them."""
        one = {"train": self.train, "test": self.test, "auxiliary": self.auxiliary, **({} if self.grid is None else {"grid": self.grid})}
        split_folder = {} if self.train.split is None else {"split": self.train.split}
        return (
            {name: each.folder for name, each in one.items()}
            | split_folder
            | {"ood": {name: each.folder for name, each in self.ood.items()}}
        )

    @property
    def skipped(self) -> list[dict[str, Any]]:
        """What was left out of all sets, by set, kind and reason; once each, though training and test images may be of one folder."""
        grid = {} if self.grid is None else {"grid": self.grid}
        every = {"ID training": self.train, "ID test": self.test, "auxiliary": self.auxiliary, **self.ood, **grid}
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for name, part in every.items():
            for entry in part.skipped:
                found.setdefault((entry["kind"], entry["path"]), {"set": name, **entry})
        return list(found.values())


def read_images(do: Engine, cfg: Config) -> Sets:
    """Every image set of the settings, decoded once; the training images are divided into training and validation."""
    size, base = cfg.data.image_size, base_of(cfg)
    every = do(images, Reading("train", (cfg.data.train,), None, size))
    division = do(split, every, cfg.data.validation_share, cfg.data.validation_seed).folder
    train, validation = (replace(every, part=part, split=division) for part in ("train", "validation"))
    grid = present([cfg.data.grid] if cfg.data.grid else [], base)
    return Sets(
        train,
        validation,
        test=do(images, Reading("test", (cfg.data.test,), None, size, every.classes)),
        auxiliary=do(images, Reading("auxiliary", tuple(present(cfg.data.auxiliary, base)), base, size)),
        ood={source.name: do(images, Reading(source.name, (source,), base, size)) for source in present(cfg.data.ood, base)},
        grid=do(images, Reading("grid", tuple(grid), base, size)) if grid else None,
    )


def read_real(do: Engine, cfg: Config, count: int) -> Images | None:
    """Real images of other classes, at most so many and evenly spread over their set."""
    return _read_one(do, cfg, cfg.data.real and cfg.data.real.model_copy(update={"limit": count}))


def read_labelled(do: Engine, cfg: Config, sets: Sets) -> Images:
    """Images by which CLIP is calibrated: in other styles than the training images; where there are none of classes that CLIP chooses from, as
    when the ID images are not the preset's, ID validation images."""
    styles = _read_one(do, cfg, cfg.clip.styles)
    names = vocabulary(sets.train.classes, cfg.clip.vocabulary)
    return styles if styles is not None and set(class_names(styles.classes)) <= set(names) else sets.validation


def _read_one(do: Engine, cfg: Config, source: NamedSource | None) -> Images | None:
    """None where the settings name none, or its files are missing."""
    found = present([source] if source else [], base_of(cfg))
    return do(images, Reading(found[0].name, (found[0],), base_of(cfg), cfg.data.image_size)) if found else None


def recorded_sets(folder: Path, results: Mapping[str, Any]) -> Sets:
    """The sets that a run wrote down."""

    def of(name: str) -> Images:
        return Images(folder / results[name])

    division = folder / results["split"]
    train, validation = (replace(of("train"), part=part, split=division) for part in ("train", "validation"))
    ood = {name: Images(folder / place) for name, place in results["ood"].items()}
    return Sets(train, validation, of("test"), of("auxiliary"), ood, of("grid") if "grid" in results else None)


def adopt(into: Run, like: Run) -> Sets:
    """Take over the images and embeddings of another run: linked, so that they take no more space and outlive it."""
    results = like.record["results"]
    for stage in ("images", "split", "encode"):
        for file in sorted((like.folder / stage).glob("*/*")):
            place = into.folder / file.relative_to(like.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                os.link(file, place)
    return recorded_sets(into.folder, results)
