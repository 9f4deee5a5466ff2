"""What a user should know of a run beside its figures."""

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np

from badood.config import Calibrate, Config
from badood.core.training import total_steps
from badood.data.record import ImageSet
from badood.detect.class_order import plain_name
from badood.evaluate.ood_types import class_names
from badood.pipeline.artefacts import Images, Outliers, Ranked, Trained

FEW_STEPS = 100
"""Fewer optimisation steps than these teach a detector from scratch next to nothing."""

FEW_LOOKS = 1000
"""Nor do more steps where it sees fewer training images of a class than these, repeats included."""

SEEN = 0.03
"""Weights whose accuracy on ID validation images is higher by more than this than on test images have likely seen the former."""

FEW = 50
"""Fewer held-out images of a kind than these calibrate badly."""

FEW_OOD = 100
"""One image of a smaller OOD test set is more than 1 % of its FPR95."""

CLEARLY = 0.01
"""By so much of AUROC another scorer must rank better to be worth a word."""

_NAMED = 5

_LOSSY = {".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".jfif": "jpeg"}


def advice(cfg: Config, images: int, classes: int) -> str:
    """What to change in a run whose detector can hardly have learnt; empty for any other."""
    training = cfg.detector
    steps = total_steps(images, training)
    an_epoch = total_steps(images, training.model_copy(update={"epochs": 1.0}))
    enough = max(FEW_STEPS / an_epoch, FEW_LOOKS * classes / images)
    if training.mode != "scratch" or training.epochs >= enough:
        return ""
    return (
        f"detector.epochs = {training.epochs:g} make {steps} training steps of {images:,} images, too few to learn {classes} classes: the "
        f"figures say little. Start a run with detector.epochs = {math.ceil(enough)}."
    )


def of_given_weights(start: Trained) -> list[str]:
    """The order of classes, sizes, and whether given weights have seen the images that calibrate."""
    report = start.report
    told = list(report["told"])
    before, after = report["validation_accuracy"], report["accuracy"]
    if before > after + SEEN:
        told.append(
            f"The given weights name {before:.1%} of the ID validation images rightly and {after:.1%} of the ID test images: they were likely "
            "trained on the images that calibrate, so id_confidence of unseen ID images is lower than it should be. Where you can, give images "
            "as data.train that they were not trained on."
        )
    return told


def of_held_out(validation: Images, auxiliary: Images) -> list[str]:
    """Held-out sets too small for a calibration to mean much."""
    small = [
        f"{len(part)} {name}"
        for name, part in (("ID validation images", validation), ("auxiliary OOD images", auxiliary))
        if len(part) < FEW
    ]
    if not small:
        return []
    return [
        f"id_confidence is calibrated on {' and '.join(small)} only, fewer than {FEW}: it can be far off. Bring more images if you can."
    ]


def of_ood(classes: Sequence[str], sets: Mapping[str, Images | ImageSet]) -> list[str]:
    """OOD sets that say little: too small, or of classes that are ID classes by name.

    Names are compared as CLIP reads them, without case, hyphens and underscores, so that a WordNet id is its ImageNet class. Numbers are no names.

    Args:
        classes: of the ID images. sets: OOD images by name.
    """
    known = {_spelt(name) for name in class_names(classes)}
    notices = []
    for name, images in sets.items():
        if len(images) < FEW_OOD:
            notices.append(
                f"The OOD set {name} has {len(images)} images, fewer than {FEW_OOD}: its FPR95 and AUROC can be far off. Bring more if you can."
            )
        held = [images.classes[label] for label in np.unique(images.labels)]
        shared = [one for one, read in zip(held, class_names(held), strict=True) if _spelt(read) in known and not read.isdecimal()]
        if shared:
            more = f" and {len(shared) - _NAMED} more" if len(shared) > _NAMED else ""
            notices.append(
                f"The OOD set {name} has {len(shared)} of its {len(held)} classes in common with the ID images, by name "
                f"({', '.join(shared[:_NAMED])}{more}): such images count as OOD and are not. Leave those classes out, or read its figures as "
                "those of shifted ID images."
            )
    return notices


def _spelt(name: str) -> str:
    return plain_name(unicodedata.normalize("NFC", name))


def of_ranked(ranked: Ranked, scoring: Calibrate) -> list[str]:
    """Whether another scorer tells held-out images apart clearly better than the one that is calibrated."""
    best = ranked.table[0]
    own = ranked.calibrated(scoring.score)
    if best["auroc"] <= own["auroc"] + CLEARLY:
        return []
    return [
        f"{best['name']} ranks ID validation images against the auxiliary set better than {own['name']}, which is calibrated (AUROC "
        f"{best['auroc']:.1%} against {own['auroc']:.1%}): calibrate.score={best['name'] if isinstance(best['entry'], str) else best['entry']} has "
        "confidences rest on it, auto on whichever ranks best."
    ]


def of_look(train: Images, outliers: Outliers) -> list[str]:
    """Sources whose images came in another size or encoding than the ID images: a detector can learn that instead of the meaning."""
    id_size, id_encoding = train.usual_size, encoding_of(train)
    notices = []
    for name, made in outliers.parts:
        table = made.table()
        if not {"width", "height", "encoding"} <= set(table.column_names):
            continue
        size = Counter(zip(table["width"].to_pylist(), table["height"].to_pylist(), strict=True)).most_common(1)[0][0]
        encoding = Counter(table["encoding"].to_pylist()).most_common(1)[0][0]
        apart = [f"{size[0]} x {size[1]} px against {id_size[0]} x {id_size[1]} px"] if size != id_size else []
        apart += [f"{encoding} against {id_encoding}"] if id_encoding and (encoding == "jpeg") != (id_encoding == "jpeg") else []
        if apart:
            notices.append(
                f"Most outliers of {name} came otherwise than the ID images ({', '.join(apart)}): a detector can learn the resampling or the "
                "compression instead of the meaning. Where you can, bring both to one size and encoding."
            )
    return notices


def encoding_of(images: Images) -> str:
    """jpeg or lossless, by the names of most files; empty where names do not tell."""
    endings = Counter(PurePath(name).suffix.lower() for name in images.ids)
    ending = endings.most_common(1)[0][0]
    return _LOSSY.get(ending, "lossless" if ending in (".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm") else "")
