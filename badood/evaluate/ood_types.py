"""OOD-I, II and III: what CLIP sees in an outlier. Paper sec. 4.3, Table 3."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from badood import config
from badood.core.errors import BadInput
from badood.evaluate.paired import share_of

IMAGENET = "imagenet-1k"
"""This entry of `clip.vocabulary` stands for open_clip's names of the 1,000 ImageNet classes."""

_HOTTEST = 100.0

TYPES = ("OOD-I", "OOD-II", "OOD-III")
"""Covariate shift: still the anchor's class. Semantic shift: another class. Severe: nothing recognisable."""


def class_names(classes: Sequence[str]) -> list[str]:
    """Names CLIP can read: WordNet ids, as ImageNet's folders are called, become open_clip's names; others stay."""
    # imported here, so that the dashboard reads types without torch
    from open_clip import IMAGENET_CLASSNAMES
    from timm.data import ImageNetInfo

    known = dict(zip(ImageNetInfo("imagenet-1k").label_names(), IMAGENET_CLASSNAMES, strict=True))
    return [known.get(name, name) for name in classes]


def vocabulary(classes: Sequence[str], foreign: Sequence[str]) -> list[str]:
    """All names CLIP chooses from: first the ID classes in their order, then the foreign ones that are not among them.

    Args:
        classes: ID class names. foreign: further names; "imagenet-1k" stands for all of ImageNet's.
    """
    from open_clip import IMAGENET_CLASSNAMES

    names = class_names(classes)
    for entry in foreign:
        names += IMAGENET_CLASSNAMES if entry == IMAGENET else [entry]
    return list(dict.fromkeys(names))


def positions(classes: Sequence[str], names: Sequence[str]) -> NDArray[np.int64]:
    """(C,) where the vocabulary `names` has the name CLIP reads for each class."""
    return np.array([names.index(name) for name in class_names(classes)], dtype=np.int64)


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature that makes CLIP's probabilities fit labelled images best, by their log-likelihood. Guo et al. 2017.

    From 1 on: images that are all named rightly would have it surer and surer.

    Args:
        probabilities: (N, K). labels: (N,) positions of the right names.
    """
    best = minimize_scalar(
        lambda log: -np.log(tempered(probabilities, np.exp(log))[np.arange(len(labels)), labels].clip(1e-30)).mean(),
        bounds=(0.0, np.log(_HOTTEST)),
        method="bounded",
    )
    return float(np.exp(best.x))


def tempered(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """(N, K) probabilities at another temperature of the softmax; larger = less sure."""
    powers: NDArray[np.floating] = softmax(np.log(np.asarray(probabilities, dtype=np.float64).clip(1e-300)) / temperature, axis=1)
    return powers


def choose_tau(probabilities: NDArray[np.floating], labels: NDArray[np.integer], recognised: float) -> float:
    """The largest tau that at least a share `recognised` of the rightly named images reaches; of all images where none is named rightly.

    Args:
        probabilities: (N, K). labels: (N,) positions of the right names.

    Raises:
        BadInput: there are no images.
    """
    if len(probabilities) == 0:
        raise BadInput("tau is chosen on labelled images, and there are none; raise data.validation_share or set clip.tau.")
    right = probabilities.argmax(axis=1) == labels
    best = np.sort(probabilities[right if right.any() else slice(None)].max(axis=1))[::-1]
    return float(best[int(np.ceil(recognised * len(best))) - 1])


def certainty(probabilities: NDArray[np.floating], labels: NDArray[np.integer], cfg: config.CLIP) -> tuple[float, float]:
    """Temperature and tau, as the settings ask for, by (N, K) probabilities of images and (N,) positions of their right names. DESIGN item 11."""
    temperature = fit_temperature(probabilities, labels)
    return temperature, choose_tau(tempered(probabilities, temperature), labels, cfg.recognised) if cfg.tau is None else cfg.tau


def ood_types(
    probabilities: NDArray[np.floating], anchors: NDArray[np.integer], id_classes: NDArray[np.integer], names: Sequence[str], tau: float
) -> pd.DataFrame:
    """The type of every outlier, and what CLIP says about it.

    Args:
        probabilities: (N, K) zero-shot probabilities.
        anchors: (N,) position of the anchor's class in `names`; -1 for an outlier without an anchor, which counts as one of the ID class
            that is likeliest.
        id_classes: (C,) positions of the ID classes in `names`.
        names: the K names of the vocabulary.
        tau: least probability at which a class counts as recognised, in [0, 1].

    Returns:
        N rows: clip_label (top-1 name), clip_prob (its probability), clip_anchor_prob (of the anchor's class),
        ood_type: OOD-III where clip_prob < tau, else OOD-I where the top-1 is the anchor's class, else OOD-II.
    """
    rows = np.arange(len(probabilities))
    anchors = np.where(anchors >= 0, anchors, id_classes[probabilities[:, id_classes].argmax(axis=1)])
    top = probabilities.argmax(axis=1)
    best = probabilities[rows, top]
    return pd.DataFrame(
        {
            "clip_label": np.asarray(names, dtype=object)[top],
            "clip_prob": best,
            "clip_anchor_prob": probabilities[rows, anchors],
            "ood_type": np.where(best < tau, TYPES[2], np.where(top == anchors, TYPES[0], TYPES[1])),
        }
    )


def type_table(types: NDArray[np.object_], kept: NDArray[np.bool_]) -> pd.DataFrame:
    """How many outliers of each type there are before and after a filter. Paper Table 3.

    Args:
        types: (N,) names of `TYPES`. kept: (N,) whether the filter keeps the outlier.

    Returns:
        A row a type: ood_type, before, after, removed (counts), before_share, after_share (of all outliers before and
        after; 0 where nothing is kept); removed_share of the type with its 95 % interval, removed_lo and removed_hi: to remove all
        types at one rate is no finding. Not numbers for a type of which there is none.
    """
    before = np.array([(types == name).sum() for name in TYPES])
    after = np.array([(types[kept] == name).sum() for name in TYPES])
    rates = [share_of(gone, of) for gone, of in zip((before - after).tolist(), before.tolist(), strict=True)]
    return pd.DataFrame(
        {
            "ood_type": TYPES,
            "before": before,
            "after": after,
            "removed": before - after,
            "before_share": before / max(1, before.sum()),
            "after_share": after / max(1, after.sum()),
            "removed_share": [rate.mean for rate in rates],
            "removed_lo": [rate.lo for rate in rates],
            "removed_hi": [rate.hi for rate in rates],
        }
    )
