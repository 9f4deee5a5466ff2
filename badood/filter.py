"""Step 7: outliers -> kept outliers. The band and the other strategies of the paper's Table 2; DESIGN item 8."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from badood import config
from badood.core.errors import BadConfig, BadInput, EmptySelection
from badood.core.seeds import derive_seed

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Preview = Callable[[Mask], Mapping[str, float]]
"""(M,) kept outliers -> fpr95 (and others) of a head-mode retrain on validation data; never on test data."""

HIGH, MID, LOW = (0.3, 1.0), (0.3, 0.5), (0.0, 0.5)
PAPER_BANDS = {"high": HIGH, "mid": MID, "low": LOW}
"""The bands of the paper's Table 2, in id_confidence."""

OVERLAP_QUANTILE = 0.05
OVERLAP_LIMIT = 0.2
"""Above this share of kept outliers that look like ID, a selection carries a warning."""
OVERLAP_ADVICE = "trained as outliers they teach the detector to reject ID. A lower upper limit keeps fewer of them."

AUTO_LOWS = (0.0, 0.25, 0.5)
"""`auto` starts its bands at these quantiles of the outliers' confidence ..."""
AUTO_HIGHS = (0.05, 0.25, 0.5, 1.0)
"""... and ends them at these quantiles of the ID-validation confidence; the paper's bands are tried beside them."""
NO_HARM = "harm could not be estimated for this run: it foretells retrains of the head no better than chance."
_CLUSTERING = 20
"""Rounds of k-means; more move few outliers."""

AUTO_LEAST = 0.05
"""`auto` leaves out bands that keep a smaller share of the outliers: the preview of a handful is chance."""


@dataclass(frozen=True)
class Selection:
    """What a filter keeps.

    Attributes:
        kept: (M,) bool, which outliers take part.
        lo, hi: lowest and highest id_confidence among the kept; as a band they keep these and, for bands without `filter.count`, no others.
        overlap: share of the kept outliers above the 5 % quantile of ID-validation confidence.
        reason: one sentence on how they were chosen.
        warning: one sentence where the overlap is high, else empty.
    """

    kept: Mask
    lo: float
    hi: float
    overlap: float
    reason: str
    warning: str = ""


def select(
    outliers: pd.DataFrame,
    cfg: config.Filter,
    id_confidence: ArrayLike,
    preview: Preview | None = None,
    features: NDArray[np.floating] | None = None,
) -> Selection:
    """The outliers a detector is retrained on.

    Args:
        outliers: M rows with id_confidence in [0, 1]; for some strategies minority_score, harm or gradient_anomaly, and for what is restricted
            source or outlier_id.
        cfg: strategy and its numbers.
        id_confidence: (V,) of ID validation images.
        preview: what `auto` compares bands by.
        features: (M, D) of the first detector, among which `dos` finds clusters.

    Raises:
        BadConfig: no such strategy, or lo > hi.
        EmptySelection: nothing is kept; says where the confidences lie and which bands would keep how many.
    """
    check(cfg)
    validation = np.asarray(id_confidence, dtype=np.float64)
    if len(validation) == 0:
        raise BadInput("a filter needs the id_confidence of ID validation images, and there are none; raise data.validation_share.")
    among = _among(outliers, cfg)
    candidates = Candidates(
        outliers[among].reset_index(drop=True),
        validation,
        None if preview is None else lambda kept: preview(_back(kept, among)),
        None if features is None else features[among],
    )
    kept, reason = STRATEGIES[cfg.strategy](candidates, cfg)
    kept = _back(kept, among)
    if not among.all():
        reason += f"; among {among.sum():,} outliers {_restriction(cfg)}"
    if cfg.count is not None and kept.sum() > cfg.count:
        kept = _drawn(kept, cfg.count, cfg.seed)
        reason += f"; {cfg.count:,} of these at random, seed {cfg.seed}"
    return _selection(outliers["id_confidence"].to_numpy(dtype=np.float64), validation, kept, reason)


def check(cfg: config.Filter) -> None:
    """Whether there is such a filter, before anything is computed for it.

    Raises:
        BadConfig: no such strategy, or lo > hi.
    """
    if cfg.strategy not in STRATEGIES:
        raise BadConfig(
            f"no filter strategy is called {cfg.strategy!r}; filter.strategy and evaluate.filters take {', '.join(STRATEGIES)}."
        )
    if cfg.lo > cfg.hi:
        raise BadConfig(f"filter.lo = {cfg.lo:g} lies above filter.hi = {cfg.hi:g}; nothing can be between them. Swap the two.")


def overlap(outlier_confidence: ArrayLike, id_confidence: ArrayLike) -> float:
    """Share of outliers above the 5 % quantile of ID-validation confidence: those that pass for ID; 0 where there are none."""
    outliers, validation = np.asarray(outlier_confidence), np.asarray(id_confidence)
    return float((outliers > np.quantile(validation, OVERLAP_QUANTILE)).mean()) if len(outliers) else 0.0


def sweep(
    outliers: pd.DataFrame,
    id_confidence: ArrayLike,
    preview: Preview,
    *,
    steps: int = 11,
    span: tuple[float, float] = (0.0, 1.0),
    quantiles: bool = False,
) -> pd.DataFrame:
    """Preview figures over all bands.

    Args:
        id_confidence: (V,) of ID validation images.
        preview: see `Preview`.
        steps: number of evenly spaced limits; each pair lo < hi is a band.
        span: the lowest and the highest limit.
        quantiles: the limits are quantiles of the ID-validation confidence instead of confidences.

    Returns:
        A row a band that keeps any outlier: lo, hi (as given), kept (count), overlap, and the preview's figures.
    """
    confidence, validation = outliers["id_confidence"].to_numpy(dtype=np.float64), np.asarray(id_confidence, dtype=np.float64)
    limits = np.linspace(*span, steps)
    rows = []
    for lo, hi in ((lo, hi) for lo in limits for hi in limits if lo < hi):
        kept = _between(confidence, *(id_band(validation, lo, hi) if quantiles else (lo, hi)))
        if kept.any():
            share = overlap(confidence[kept], validation)
            rows.append({"lo": lo, "hi": hi, "kept": int(kept.sum()), "overlap": share, **preview(kept)})
    return pd.DataFrame(rows)


def auto_bands(outlier_confidence: ArrayLike, id_confidence: ArrayLike) -> list[tuple[float, float]]:
    """The bands that `auto` compares: (lo, hi) in id_confidence; no two keep the same outliers, none keeps a handful."""
    outliers, validation = np.asarray(outlier_confidence, dtype=np.float64), np.asarray(id_confidence, dtype=np.float64)
    lows = [0.0, *np.quantile(outliers, AUTO_LOWS[1:])]
    highs = [*np.quantile(validation, AUTO_HIGHS[:-1]), 1.0]
    bands: dict[bytes, tuple[float, float]] = {}
    for lo, hi in [(0.0, 1.0), *((float(lo), float(hi)) for lo in lows for hi in highs if lo < hi), MID, LOW, HIGH]:
        kept = _between(outliers, lo, hi)
        if kept.mean() >= AUTO_LEAST:
            bands.setdefault(kept.tobytes(), (lo, hi))
    return list(bands.values())


def _among(outliers: pd.DataFrame, cfg: config.Filter) -> Mask:
    """(M,) which outliers a strategy may choose from."""
    if len(outliers) == 0:
        raise EmptySelection("there are no outliers to filter; raise synthesise.count.")
    among = np.ones(len(outliers), dtype=bool)
    if cfg.sources:
        unknown = sorted(set(cfg.sources) - set(outliers["source"]))
        if unknown:
            raise BadInput(f"filter.sources names {', '.join(unknown)}; the outliers are of {', '.join(sorted(set(outliers['source'])))}.")
        among &= outliers["source"].isin(cfg.sources).to_numpy()
    if cfg.max_harm is not None:
        if lacks(outliers, "harm"):
            raise EmptySelection(f"filter.max_harm = {cfg.max_harm:g} keeps nothing: {NO_HARM}")
        among &= outliers["harm"].to_numpy(dtype=np.float64) <= cfg.max_harm
    if cfg.ids is not None:
        among &= outliers["outlier_id"].isin(cfg.ids).to_numpy()
    if cfg.without:
        among &= ~outliers["outlier_id"].isin(cfg.without).to_numpy()
    if not among.any():
        raise EmptySelection(f"the filter chooses among 0 of {len(outliers):,} outliers {_restriction(cfg)}; name others.")
    return among


def _restriction(cfg: config.Filter) -> str:
    parts = [f"of {', '.join(cfg.sources)}"] if cfg.sources else []
    parts += [] if cfg.max_harm is None else [f"of at most {cfg.max_harm:g} harm"]
    parts += ["that were selected"] if cfg.ids is not None else []
    parts += [f"without {len(cfg.without):,} that were left out"] if cfg.without else []
    return " ".join(parts)


def _back(kept: Mask, among: Mask) -> Mask:
    """A mask of those among which was chosen, as one of all outliers."""
    every = np.zeros(len(among), dtype=bool)
    every[among] = kept
    return every


@dataclass(frozen=True)
class Candidates:
    """What a strategy chooses from: M outliers, (V,) confidences of ID validation, the preview, and (M, D) features."""

    outliers: pd.DataFrame
    validation: Floats
    preview: Preview | None
    features: NDArray[np.floating] | None

    @property
    def confidence(self) -> Floats:
        """(M,) id_confidence."""
        return self.column("id_confidence")

    def column(self, name: str) -> Floats:
        """(M,) a column of the outliers."""
        return self.outliers[name].to_numpy(dtype=np.float64)


def lacks(outliers: pd.DataFrame, name: str) -> bool:
    """Whether nothing is known in a column."""
    return name not in outliers or bool(outliers[name].isna().all())


def _all(candidates: Candidates, _cfg: config.Filter) -> tuple[Mask, str]:
    return np.ones(len(candidates.outliers), dtype=bool), "no filter: every outlier is kept"


def _band(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    return _between(candidates.confidence, cfg.lo, cfg.hi), f"id_confidence from {cfg.lo:g} to {cfg.hi:g}"


def _quantile(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    lo, hi = id_band(candidates.validation, cfg.lo, cfg.hi)
    where = f"id_confidence from {lo:.3f} to {hi:.3f}: quantiles {cfg.lo:g} and {cfg.hi:g} of ID validation"
    return _between(candidates.confidence, lo, hi), where


def _paper_band(name: str, limits: tuple[float, float]) -> "Strategy":
    """One of Table 2's bands, whatever `filter.lo` and `filter.hi` are."""

    def strategy(candidates: Candidates, _cfg: config.Filter) -> tuple[Mask, str]:
        return _between(candidates.confidence, *limits), f"the paper's {name} band: id_confidence from {limits[0]:g} to {limits[1]:g}"

    return strategy


def _id_mid(candidates: Candidates, _cfg: config.Filter) -> tuple[Mask, str]:
    """The paper's Mid in this run's own units: above what is far away, and below all but a twentieth of ID.

    Table 2 puts Mid between the middle of the outliers' own range and the ID images; the confidences at which these lie differ
    from detector to detector, the quantiles do not.
    """
    hi = float(np.quantile(candidates.validation, OVERLAP_QUANTILE))
    below = candidates.confidence[candidates.confidence <= hi]
    lo = float(np.median(below)) if len(below) else 0.0
    where = f"id_confidence from {lo:.3f} to {hi:.3f}: the upper half of the outliers below the 5 % quantile of ID validation"
    return _between(candidates.confidence, lo, hi), where


def _random(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    count, every = _count(candidates, cfg), np.ones(len(candidates.outliers), dtype=bool)
    return _drawn(every, count, cfg.seed), f"{count:,} at random, seed {cfg.seed}"


def _minority(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    if lacks(candidates.outliers, "minority_score"):
        raise BadInput("the filter minority needs minority scores, and these outliers have none: give the encoder's and the RDM's weights.")
    kept, count = _least(-candidates.column("minority_score"), candidates, cfg)
    return kept, f"the {count:,} with the highest minority score"


def _least_harm(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    if lacks(candidates.outliers, "harm"):
        raise EmptySelection(f"the filter least-harm keeps nothing: {NO_HARM}")
    kept, count = _least(candidates.column("harm"), candidates, cfg)
    return kept, f"the {count:,} that harm the detector least, by the estimate on held-out images"


def _outlier_gradient(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    """Outlier gradient analysis, Chhabra et al. 2025: what pulls the weights in an unusual direction is left out."""
    if lacks(candidates.outliers, "gradient_anomaly"):
        raise BadInput("the filter outlier-gradient needs the anomaly of each outlier's gradient; pass a column gradient_anomaly.")
    kept, count = _least(candidates.column("gradient_anomaly"), candidates, cfg)
    return kept, f"the {count:,} with the least unusual gradients"


def _dos(candidates: Candidates, cfg: config.Filter) -> tuple[Mask, str]:
    """Diverse outlier sampling, Jiang et al. 2024: as many clusters of normalised features as are wanted, of each the outlier nearest to ID."""
    if candidates.features is None:
        raise BadInput("the filter dos finds clusters among features of the detector; pass features to `select`.")
    count = min(_count(candidates, cfg), len(candidates.outliers))
    if not count:
        return _rows(np.zeros(0, dtype=np.int64), len(candidates.outliers)), "one of each of 0 clusters"
    found = KMeans(count, n_init=1, max_iter=_CLUSTERING, random_state=derive_seed("filter", cfg.seed) % 2**32)
    cluster = found.fit_predict(normalize(candidates.features.astype(np.float32)))
    nearest = pd.Series(candidates.confidence).groupby(cluster).idxmax().to_numpy(np.int64)
    return _rows(nearest, len(cluster)), f"of {count:,} clusters of features, the outlier with the highest id_confidence each"


def _auto(candidates: Candidates, _cfg: config.Filter) -> tuple[Mask, str]:
    """The band with the least previewed FPR95 on validation data."""
    if candidates.preview is None:
        raise BadInput("the auto filter compares bands by a preview on validation data; pass one to `select`.")
    fpr95 = {
        (lo, hi): candidates.preview(_between(candidates.confidence, lo, hi))["fpr95"]
        for lo, hi in auto_bands(candidates.confidence, candidates.validation)
    }
    lo, hi = min(fpr95, key=lambda band: fpr95[band])
    return _between(candidates.confidence, lo, hi), (
        f"id_confidence from {lo:.3f} to {hi:.3f}: the least FPR95 of {len(fpr95)} bands in a head-only preview on validation data "
        f"({fpr95[lo, hi]:.3f}; all outliers {fpr95[0.0, 1.0]:.3f})"
    )


Strategy = Callable[[Candidates, config.Filter], tuple[Mask, str]]

STRATEGIES: dict[str, Strategy] = {
    "all": _all,
    "random": _random,
    "band": _band,
    "quantile": _quantile,
    "auto": _auto,
    "high": _paper_band("High", HIGH),
    "mid": _paper_band("Mid", MID),
    "low": _paper_band("Low", LOW),
    "q-mid": _id_mid,
    "minority": _minority,
    "least-harm": _least_harm,
    "dos": _dos,
    "outlier-gradient": _outlier_gradient,
}


def _between(confidence: Floats, lo: float, hi: float) -> Mask:
    return (confidence >= lo) & (confidence <= hi)


def id_band(id_confidence: ArrayLike, lo: float, hi: float) -> tuple[float, float]:
    """Confidences at two quantiles of ID validation; the ends 0 and 1 stay open, for outliers beyond all ID images."""
    validation = np.asarray(id_confidence, dtype=np.float64)
    return (float(np.quantile(validation, lo)) if lo > 0 else 0.0, float(np.quantile(validation, hi)) if hi < 1 else 1.0)


def _rows(rows: NDArray[np.int64], total: int) -> Mask:
    kept = np.zeros(total, dtype=bool)
    kept[rows] = True
    return kept


def _drawn(kept: Mask, count: int, seed: int) -> Mask:
    """At most `count` of those kept, at random."""
    shuffled = np.random.default_rng(derive_seed("filter", seed)).permutation(np.flatnonzero(kept))
    return _rows(shuffled[:count], len(kept))


def _least(values: Floats, candidates: Candidates, cfg: config.Filter) -> tuple[Mask, int]:
    """Those with the least values, and how many; what has none comes last."""
    count = min(_count(candidates, cfg), len(values))
    return _rows(np.argsort(values, kind="stable")[:count], len(values)), count


def _count(candidates: Candidates, cfg: config.Filter) -> int:
    """How many a strategy keeps that takes the best of all: as set, else as many as the band."""
    return cfg.count if cfg.count is not None else int(_between(candidates.confidence, cfg.lo, cfg.hi).sum())


def _selection(confidence: Floats, validation: Floats, kept: Mask, reason: str) -> Selection:
    if not kept.any():
        raise EmptySelection(_no_outlier(confidence, validation, reason))
    share = overlap(confidence[kept], validation)
    warning = ""
    if share > OVERLAP_LIMIT:
        warning = (
            f"{100 * share:.0f} % of the {kept.sum():,} kept outliers look as much like ID as 95 % of ID validation images do; "
            f"{OVERLAP_ADVICE}"
        )
    return Selection(kept, float(confidence[kept].min()), float(confidence[kept].max()), share, reason, warning)


def _no_outlier(confidence: Floats, validation: Floats, reason: str) -> str:
    """What to do when a filter keeps nothing."""
    n = len(confidence)
    limit = float(np.quantile(validation, OVERLAP_QUANTILE))
    p10, p50, p90 = np.quantile(confidence, [0.1, 0.5, 0.9])
    bands = [(p10, p90), (p50, 1.0), (0.0, p50), (0.0, limit)]
    # limits are rounded outwards, so that the band as printed keeps what it says
    printed = [(np.floor(lo * 1000) / 1000, np.ceil(hi * 1000) / 1000) for lo, hi in bands]
    counts = ", ".join(f"{lo:.3f}..{hi:.3f} keeps {_between(confidence, lo, hi).sum():,}" for lo, hi in printed)
    return (
        f"filter ({reason}) keeps 0 of {n:,} outliers: their id_confidence lies in {confidence.min():.3f}..{confidence.max():.3f}, "
        f"and 95 % of ID validation above {limit:.3f}. Of the bands, {counts}; or let filter.strategy = auto choose one."
    )
