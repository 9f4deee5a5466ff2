"""What a user should know of a run beside its figures."""

import math
from collections import Counter
from pathlib import PurePath

from badood.config import Calibrate, Config
from badood.core.training import total_steps
from badood.pipeline.artefacts import Images, Outliers, Ranked, Trained

FEW_STEPS = 100
"""Fewer optimisation steps than these teach a detector from scratch next to nothing."""

FEW_LOOKS = 1000
"""Nor do more steps where it sees fewer training images of a class than these, repeats included."""

SEEN = 0.03
"""Weights whose accuracy on ID validation images is higher by more than this than on test images have likely seen the former."""

FEW = 50
"""Fewer held-out images of a kind than these calibrate badly."""

CLEARLY = 0.01
"""By so much of AUROC another scorer must rank better to be worth a word."""

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
