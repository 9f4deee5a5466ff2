"""The second half of the path: ID images -> outliers -> detector -> calibration -> filter -> retrain -> evaluation.

Read `run_pipeline` first. Every stage writes one folder under a key of its settings and its inputs' keys, so moving the band
runs filter, retrain and evaluate only, and a run that was killed goes on at the stage that was cut off.
"""

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
import torch
from numpy.typing import NDArray

from badood.calibrate import Calibrator, calibrator
from badood.config import Config, Filter, Source, weights_path
from badood.core.artefacts import read_json, write_json
from badood.core.errors import BadInput, EmptySelection
from badood.core.noise import Noise
from badood.core.progress import Progress
from badood.core.registry import Registry
from badood.core.training import total_steps
from badood.core.weights import fingerprint
from badood.data.splits import load
from badood.detect.activations import Activations
from badood.detect.backbone import Detector, load_detector, save_detector
from badood.detect.scorers import scorer
from badood.detect.train import score, train_full
from badood.encode.features import encode
from badood.evaluate import clip as zero_shot
from badood.evaluate.ood_types import choose_tau, class_names, ood_types, vocabulary
from badood.filter import Selection, check, select
from badood.pipeline import evaluation, preview
from badood.pipeline.images import Images, anchors
from badood.pipeline.models import DECODERS, Model, Models
from badood.pipeline.runs import Run, open_run, start_run
from badood.pipeline.side_by_side import train_side_by_side
from badood.pipeline.table import write_outliers
from badood.synthesise import synthesiser
from badood.synthesise.guidance import minority_score

STAGES = ("encode", "synthesise", "decode", "rebuild", "detect", "calibrate", "types", "outliers", "features", "evaluate")
"""In the path's order."""

FEW_STEPS = 100
"""Fewer optimisation steps than these teach a detector from scratch next to nothing."""

FEW_LOOKS = 1000
"""Nor do more steps where it sees fewer training images of a class than these, repeats included."""


def run_pipeline(cfg: Config, name: str | None = None, progress: Progress | None = None) -> Run:
    """The whole method, continued where an earlier call was cut off.

    Args:
        cfg: settings. name: the run's id; equal settings have an equal default.

    Returns:
        The finished run; its `record["metrics"]` is the filter table.

    Raises:
        BadConfig: a name in the settings that nothing has; told before the first stage.
    """
    check_names(cfg)
    method = Method(start_run(cfg, name, progress))
    method.run.note(state="running")
    try:
        train_side_by_side(method)
        for strategy, asked in method.filters.items():
            method.row(strategy, asked)
        method.run.note(state="done", skipped=method.images.skipped(), advice=method.advice)
    except BaseException as error:
        method.run.note(state="interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=str(error))
        raise
    return method.run


def check_names(cfg: Config) -> None:
    """Look up what the late stages would look up after the long ones.

    Raises:
        BadConfig: something has no such name.
    """
    for strategy in (cfg.filter.strategy, *cfg.evaluate.filters):
        check(cfg.filter.model_copy(update={"strategy": strategy}))
    chosen: list[tuple[Registry[Any], str]] = [(synthesiser, cfg.synthesise.method), (calibrator, cfg.calibrate.method)]
    for registry, name in [*chosen, *((scorer, name) for name in cfg.evaluate.scorers)]:
        registry[name]
    with torch.device("meta"):  # which computes nothing
        Detector(cfg.detector, classes=2)


def retrain(run: Run, band: Filter) -> dict[str, Any]:
    """Retrain a finished run's detector from scratch on what `band` keeps, and evaluate it.

    Returns:
        The new row of the filter table, which is also in `run.json` under `metrics`.

    Raises:
        EmptySelection: the band keeps nothing.
    """
    method = Method(run)
    name = f"{band.strategy} {band.lo:g}-{band.hi:g}" if band.strategy in ("band", "quantile") else band.strategy
    row = method.row(name, band)
    if "empty" in row:
        raise EmptySelection(row["empty"])
    return row


def synthesise_only(cfg: Config, name: str | None = None, progress: Progress | None = None) -> tuple[Run, Path]:
    """Outlier embeddings and images, without a detector: the run, and the folder that holds `images.npy`."""
    method = Method(start_run(cfg, name, progress))
    return method.run, method.decoded


@dataclass
class Method:
    """The stages of one run. Each property is a finished stage's folder, made at the first look."""

    run: Run
    _selections: dict[str, Selection] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def images(self) -> Images:
        """The run's images."""
        return Images(self.run.cfg)

    @cached_property
    def models(self) -> Models:
        """The run's frozen models."""
        return Models(self.run.cfg)

    @property
    def cfg(self) -> Config:
        """The run's settings."""
        return self.run.cfg

    @property
    def filters(self) -> dict[str, Filter]:
        """The rows of the run's filter table by strategy."""
        return {strategy: self.cfg.filter.model_copy(update={"strategy": strategy}) for strategy in self.cfg.evaluate.filters}

    def _weights(self, *models: Model) -> list[str]:
        """Contents of the models a stage uses, for its key."""
        return [fingerprint(weights_path(self.cfg, model)) for model in models]

    @property
    def steps(self) -> int:
        """Optimisation steps of a detector's training from scratch."""
        return total_steps(len(self.images.train), self.cfg.detector)

    @property
    def brief(self) -> bool:
        """Whether a detector's training is over sooner than a process has started."""
        return self.steps < FEW_STEPS

    @property
    def advice(self) -> str:
        """What to change in a run whose detector can hardly have learnt; empty for any other."""
        cfg, images, classes = self.cfg.detector, len(self.images.train), len(self.images.train.classes)
        an_epoch = total_steps(images, cfg.model_copy(update={"epochs": 1.0}))
        enough = max(FEW_STEPS / an_epoch, FEW_LOOKS * classes / images)
        if cfg.epochs >= enough:
            return ""
        return (
            f"detector.epochs = {cfg.epochs:g} make {self.steps} training steps of {images:,} images, too few to learn {classes} classes: the "
            f"figures say little. Start a run with detector.epochs = {math.ceil(enough)}."
        )

    @cached_property
    def encoded(self) -> Path:
        """`z0.npy` (N, D) float32 and `labels.npy` (N,) of the ID training images the detector learns from."""
        cfg = self.cfg

        def make(out: Path) -> None:
            train = self.images.train
            z0 = encode(self.models.encoder, self.images.pixels(train), self.run.compute, progress=self.run.progress)
            np.save(out / "z0.npy", z0.numpy())
            np.save(out / "labels.npy", train.labels)
            write_json(out / "classes.json", list(train.classes))

        return self.run.artefact(
            "encode", [cfg.data.train, cfg.data.validation_share, cfg.seed, cfg.data.image_size, self._weights("encoder")], make
        )

    @cached_property
    def synthesised(self) -> Path:
        """`embeddings.npy` (M, D) float32 and `outliers.parquet`: ids, anchors, scales, minority scores."""
        cfg = self.cfg.synthesise
        return self.run.artefact("synthesise", [self.encoded.name, cfg, self._weights("rdm")], self._synthesise)

    def _synthesise(self, out: Path) -> None:
        cfg, compute = self.cfg.synthesise, self.run.compute
        z0 = torch.from_numpy(np.load(self.encoded / "z0.npy"))
        labels = np.load(self.encoded / "labels.npy")
        rdm = self.models.rdm
        # every anchor is used at every scale, so that scales can be compared on the same image
        rows = anchors(labels, max(1, cfg.count // len(cfg.scales)), cfg.seed)
        made: list[tuple[pd.DataFrame, NDArray[np.float32]]] = []
        mine = compute.ranks.share(len(rows))
        total = (mine.stop - mine.start) * len(cfg.scales)
        for index, scale in enumerate(cfg.scales):
            method = synthesiser.make(cfg.method, {**cfg.params, "scale": scale}).fit(z0, torch.from_numpy(labels))
            for first in range(mine.start, mine.stop, cfg.batch_size):
                batch = rows[first : min(first + cfg.batch_size, mine.stop)]
                ids = index * len(rows) + np.arange(first, first + len(batch))
                noise = Noise(cfg.seed, ids)
                with compute.autocast():
                    given = compute.put(torch.from_numpy(labels[batch]))
                    z = method.sample(compute.put(z0[batch]), given, rdm, noise)
                    scored = minority_score(rdm.frozen(given), z, renoise=cfg.score_renoise, noise=noise, samples=cfg.score_samples)
                part = {
                    "outlier_id": ids,
                    "anchor_row": batch,
                    "guidance_scale": scale,
                    "t": method.t,
                    "minority_score": scored.cpu().numpy(),
                }
                made.append((pd.DataFrame(part), z.cpu().numpy()))
                self.run.progress.update("synthesise", sum(len(z) for _, z in made), total)
        made = sorted(compute.ranks.collected(made), key=lambda batch: batch[0]["outlier_id"].iloc[0])
        table = pd.concat([part for part, _ in made], ignore_index=True)
        table["anchor_label"] = labels[table["anchor_row"]]
        table["synthesiser"], table["seed"], table["s"] = cfg.method, cfg.seed, cfg.score_renoise
        np.save(out / "embeddings.npy", np.concatenate([z for _, z in made]))
        table.to_parquet(out / "outliers.parquet")

    @cached_property
    def embeddings(self) -> pd.DataFrame:
        """The rows of `synthesised`."""
        return pd.read_parquet(self.synthesised / "outliers.parquet")

    @cached_property
    def decoded(self) -> Path:
        """`images.npy`: (M, 3, H, W) uint8."""
        cfg = self.cfg

        def make(out: Path) -> None:
            noise = Noise(cfg.decode.seed, self.embeddings["outlier_id"].to_numpy())
            z = torch.from_numpy(np.load(self.synthesised / "embeddings.npy"))
            np.save(out / "images.npy", self.models.decode(z, noise, self.run.progress).numpy())

        return self.run.artefact("decode", [self.synthesised.name, cfg.decode, self._weights(*DECODERS)], make)

    @cached_property
    def outlier_pixels(self) -> torch.Tensor:
        """(M, 3, H, W) uint8."""
        return torch.from_numpy(np.load(self.decoded / "images.npy"))

    @cached_property
    def train_pixels(self) -> torch.Tensor:
        """(N, 3, H, W) uint8 ID training images."""
        return self.images.pixels(self.images.train)

    @cached_property
    def rebuilt(self) -> torch.Tensor | None:
        """(N, 3, H, W) uint8 reconstructions of the ID training images by the tokenizer; none where the detector never sees them."""
        cfg = self.cfg
        if cfg.detector.rebuilt_share == 0:
            return None

        def make(out: Path) -> None:
            pixels = self.images.train.pixels(cfg.tokenizer.image_size)
            np.save(out / "images.npy", self.models.rebuild(pixels, self.run.progress).numpy())

        parts = [cfg.data.train, cfg.data.validation_share, cfg.seed, cfg.tokenizer.image_size, self._weights("tokenizer")]
        return torch.from_numpy(np.load(self.run.artefact("rebuild", parts, make) / "images.npy"))

    def detector(self, kept: NDArray[np.bool_]) -> Path:
        """`detector.safetensors` and `report.json` of a detector trained from scratch on ID and the kept outliers.

        Args:
            kept: (M,) which outliers take part.
        """
        cfg = self.cfg

        def make(out: Path) -> None:
            detector, report = train_full(
                self.train_pixels,
                torch.from_numpy(self.images.train.labels),
                self.outlier_pixels[torch.from_numpy(kept)],
                cfg.detector,
                classes=len(self.images.train.classes),
                compute=self.run.compute,
                rebuilt=self.rebuilt,
                checkpoint=out / "checkpoint.pt",
                progress=self.run.progress,
            )
            save_detector(detector, out / "detector.safetensors")
            write_json(out / "report.json", report)
            (out / "checkpoint.pt").unlink(missing_ok=True)

        return self.run.artefact("detect", self._detector_parts(kept), make)

    def is_trained(self, kept: NDArray[np.bool_]) -> bool:
        """Whether `detector(kept)` is there already."""
        return self.run.has("detect", self._detector_parts(kept))

    def _detector_parts(self, kept: NDArray[np.bool_]) -> list[Any]:
        """Of a detector's key."""
        chosen = hashlib.blake2b(np.packbits(kept).tobytes(), digest_size=8).hexdigest()
        return [self.decoded.name, self.cfg.detector, chosen]

    @property
    def first_detector(self) -> Path:
        """The detector trained on all outliers."""
        return self.detector(np.ones(len(self.embeddings), dtype=bool))

    def load_detector(self, folder: Path) -> Detector:
        """A trained detector of this run, ready to infer."""
        detector = load_detector(folder / "detector.safetensors", self.cfg.detector, classes=len(self.images.train.classes))
        return self.run.compute.place(detector).eval()

    def seen(self, detector: Detector, pixels: torch.Tensor) -> NDArray[np.float64]:
        """(N,) raw anomaly of images under a detector; see `raw`."""
        return self.raw(score(detector, pixels, self.run.compute, progress=self.run.progress))

    def raw(self, activations: Activations) -> NDArray[np.float64]:
        """(N,) log-odds of the raw score: E, or phi(E) where `calibrate.score` says so; larger looks more OOD."""
        return np.asarray(activations.energy if self.cfg.calibrate.score == "energy" else activations.phi, dtype=np.float64)

    @cached_property
    def reference_pixels(self) -> tuple[torch.Tensor, torch.Tensor]:
        """ID validation and auxiliary semantic OOD images, on which everything is calibrated and chosen."""
        return self.images.pixels(self.images.validation), self.images.pixels(self.images.auxiliary)

    def calibrated(self, detector: Detector) -> tuple[Calibrator, pd.DataFrame]:
        """A calibrator fitted for a detector, and its reference table: set, energy, id_confidence."""
        energies = [self.seen(detector, pixels) for pixels in self.reference_pixels]
        energy = np.concatenate(energies)
        is_id = np.repeat([True, False], [len(part) for part in energies])
        fitted = calibrator.make(self.cfg.calibrate.method).fit(energy, is_id)
        names = np.where(is_id, "validation", "auxiliary")
        return fitted, pd.DataFrame({"set": names, "energy": energy, "id_confidence": fitted.id_confidence(energy)})

    @cached_property
    def confidence(self) -> Path:
        """`outliers.parquet` and `reference.parquet`: energy and id_confidence; `calibrator.json`."""
        folder = self.first_detector

        def make(out: Path) -> None:
            detector = self.load_detector(folder)
            fitted, reference = self.calibrated(detector)
            energy = self.seen(detector, self.outlier_pixels)
            confidence = fitted.id_confidence(energy)
            outliers = pd.DataFrame({"energy": energy, "raw_score": scipy.special.expit(energy), "id_confidence": confidence})
            outliers.to_parquet(out / "outliers.parquet")
            reference.to_parquet(out / "reference.parquet")
            write_json(out / "calibrator.json", fitted.to_dict())

        return self.run.artefact("calibrate", [self.cfg.calibrate, folder.name, self.cfg.data.auxiliary], make)

    @cached_property
    def types(self) -> Path:
        """`types.parquet`: CLIP's label, probabilities and OOD type of every outlier; `tau.json`."""
        cfg = self.cfg

        def make(out: Path) -> None:
            classes = self.images.train.classes
            names = vocabulary(classes, cfg.clip.vocabulary)

            def probabilities(pixels: torch.Tensor) -> NDArray[np.float32]:
                return zero_shot.zero_shot(self.models.clip, pixels, names, cfg.clip.templates, self.run.compute).numpy()

            tau = cfg.clip.tau
            if tau is None:
                tau = choose_tau(probabilities(self.reference_pixels[0]), cfg.clip.recognised)
            position = np.array([names.index(name) for name in class_names(classes)])
            table = ood_types(probabilities(self.outlier_pixels), position[self.embeddings["anchor_label"]], names, tau)
            table.to_parquet(out / "types.parquet")
            write_json(out / "tau.json", {"tau": tau, "vocabulary": names})

        return self.run.artefact("types", [self.decoded.name, cfg.clip, self._weights("clip")], make)

    @cached_property
    def outliers(self) -> Path:
        """`outliers.parquet` of DESIGN "Artefacts", with the images; `embeddings.npy` beside it."""

        def make(out: Path) -> None:
            train = self.images.train
            table = self.embeddings.drop(columns="anchor_label")
            anchor = self.embeddings["anchor_label"].to_numpy()
            table["anchor_id"] = np.asarray(train.ids, dtype=object)[table["anchor_row"]]
            table["anchor_class"] = np.asarray(train.classes, dtype=object)[anchor]
            table = pd.concat(
                [table, pd.read_parquet(self.confidence / "outliers.parquet"), pd.read_parquet(self.types / "types.parquet")], axis=1
            )
            write_outliers(out / "outliers.parquet", table, np.load(self.decoded / "images.npy", mmap_mode="r"))
            np.save(out / "embeddings.npy", np.load(self.synthesised / "embeddings.npy"))

        return self.run.artefact("outliers", [self.synthesised.name, self.confidence.name, self.types.name], make)

    def selection(self, cfg: Filter) -> Selection:
        """Which outliers a filter keeps; chosen once for equal filters.

        Raises:
            EmptySelection: none.
        """
        asked = cfg.model_dump_json()
        if asked not in self._selections:
            self._selections[asked] = self._selection(cfg)
        return self._selections[asked]

    def _selection(self, cfg: Filter) -> Selection:
        table = pd.read_parquet(self.confidence / "outliers.parquet").assign(
            minority_score=self.embeddings["minority_score"], outlier_id=self.embeddings["outlier_id"]
        )
        reference = pd.read_parquet(self.confidence / "reference.parquet")
        validation = reference.loc[reference["set"] == "validation", "id_confidence"].to_numpy()
        return select(table, cfg, validation, preview=self.preview)

    def preview(self, kept: NDArray[np.bool_]) -> dict[str, float]:
        """FPR95, AUROC and AUPR on validation data of a head-mode retrain; never a full retrain's figure."""
        return preview.head_metrics(self, kept)

    def trial(self, cfg: Filter) -> dict[str, Any]:
        """Select by a filter, retrain from scratch, evaluate: metrics, what was kept, and where the results lie.

        A filter that keeps nothing gives `{"filter": ..., "empty": reason}`, so that a table goes on with its other rows.
        """
        try:
            chosen = self.selection(cfg)
        except EmptySelection as error:
            return {"filter": cfg.model_dump(), "empty": str(error)}
        detector = self.detector(chosen.kept)
        evaluated = evaluation.evaluate(self, detector)
        return read_json(evaluated / "metrics.json") | {
            "filter": cfg.model_dump(),
            "kept": int(chosen.kept.sum()),
            "lo": chosen.lo,
            "hi": chosen.hi,
            "overlap": chosen.overlap,
            "warning": chosen.warning,
            "reason": chosen.reason,
            "detector": str(detector.relative_to(self.run.folder)),
            "evaluation": str(evaluated.relative_to(self.run.folder)),
        }

    def row(self, name: str, cfg: Filter) -> dict[str, Any]:
        """A trial that is also written to `run.json`, under `metrics`."""
        stages = {"encoded": self.encoded, "outliers": self.outliers, "calibration": self.confidence, "types": self.types}
        self.run.note(**{name: str(folder.relative_to(self.run.folder)) for name, folder in stages.items()})
        row = self.trial(cfg)
        self.run.note(metrics=self.run.record["metrics"] | {name: row})
        return row


def score_images(name: str, path: Path) -> pd.DataFrame:
    """id_confidence and energy of any images under the first detector of a run.

    Args:
        name: id or folder of a finished run. path: folder or parquet file of images.
    """
    method = _done(name)
    images = load(any_source(path), None)
    judge = evaluation.Judge(method, method.first_detector, [])
    table = judge.scores(images)[["energy", "id_confidence"]]
    table.insert(0, "image", list(images.ids))
    return table


def evaluate_on(name: str, paths: list[Path]) -> dict[str, Any]:
    """Every detector of a finished run against any OOD images.

    Args:
        name: id or folder of the run. paths: folders or parquet files of OOD images.

    Returns:
        `{"run": id, "ood": {set: number of images}, "metrics": {filter: metrics}}`, as `run.json` has them.
    """
    method = _done(name)
    sets = {f"{path.parent.name}/{path.name}": load(any_source(path), None) for path in paths}
    metrics: dict[str, Any] = {}
    for row_name, row in method.run.record["metrics"].items():
        if "empty" in row:
            metrics[row_name] = row
            continue
        judge = evaluation.Judge(method, method.run.folder / row["detector"], method.cfg.evaluate.scorers)
        known = {"id": method.images.test}
        table = pd.concat([judge.scores(images).assign(set=name) for name, images in (known | sets).items()], ignore_index=True)
        kept = {key: row[key] for key in ("kept", "overlap", "filter")}
        metrics[row_name] = evaluation.summary(table) | kept
    return {"run": method.run.id, "ood": {name: len(images) for name, images in sets.items()}, "metrics": metrics}


def _done(name: str) -> Method:
    run = open_run(name)
    state = run.record["state"]
    if state != "done":
        raise BadInput(f"run {run.id} has no detectors to ask yet (state: {state}); finish it by the command that began it.")
    return Method(run)


def any_source(path: Path) -> Source:
    """The data set that reads a user's path: a parquet file, or a folder of images or of parquet files."""
    parquet = path.suffix == ".parquet" or (path.is_dir() and any(path.glob("*.parquet")))
    return Source(dataset="parquet" if parquet else "folder", path=str(path.resolve()), split="test", params={"holdout": 0})
