"""A finished run, opened for looking: its tables and arrays by the names people use."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.calibrate import Calibrator
from badood.config import Filter
from badood.core.errors import BadInput, EmptySelection
from badood.evaluate.agreement import Agreement
from badood.evaluate.metrics import METRICS as OOD_METRICS
from badood.evaluate.ood_types import TYPES, type_table
from badood.explore.queries import Filters, Outliers
from badood.filter import AUTO_LEAST, OVERLAP_LIMIT, OVERLAP_QUANTILE, id_band, overlap, select
from badood.pipeline.artefacts import (
    OURS,
    Confidence,
    Described,
    Encoded,
    Evaluated,
    Harm,
    Images,
    Kept,
    Made,
    Ranked,
    Sweep,
    Table,
    Typed,
    joined,
)
from badood.pipeline.filter_rows import FilterRow, chosen
from badood.pipeline.recorded import recorded_outliers
from badood.pipeline.runs import Run, open_run

METRICS = (*OOD_METRICS, "id_accuracy")


@dataclass(frozen=True)
class Scale:
    """A part of an axis, for sliders and plots.

    Attributes:
        lo, hi: its ends. step: a hundredth of it or less, a power of ten.
    """

    lo: float
    hi: float
    step: float

    @property
    def digits(self) -> int:
        """Decimals that tell two steps apart."""
        return max(0, round(-math.log10(self.step)))

    def with_values(self, *values: float) -> "Scale":
        """The scale, widened where need be to hold these values."""
        return Scale(min(self.lo, *values), max(self.hi, *values), self.step)


CONFIDENCES = Scale(0.0, 1.0, 0.001)
"""All of id_confidence."""

_AT_ONCE = 65_536
"""Embeddings that are widened to float32 at a time."""

_NARROW = 0.25
"""Outliers that lie in a smaller part of id_confidence are looked at enlarged."""


@dataclass(frozen=True, eq=False)
class Finished:
    """What a run found. Nothing is read before it is asked for, and what was read is kept: two are equal only if they are the same.

    Attributes:
        run: the run's folder and settings.
    """

    run: Run

    def _folder(self, entry: str) -> Path:
        record = self.run.record
        if entry not in record["results"]:
            raise BadInput(f"run {self.run.id} has no {entry} yet (state: {record['state']}); finish it with `python -m badood run`.")
        return self.run.folder / str(record["results"][entry])

    def has(self, entry: str) -> bool:
        """Whether the run has come so far as to have made this, and makes it at all: "described" is of an encoder, for instance."""
        return entry in self.run.record["results"]

    @cached_property
    def outliers(self) -> Outliers:
        """Queries over the outliers. Of a run that has not come further, over what is known so far."""
        if self.has("outliers"):
            return Outliers(Table(self._folder("outliers")).path)
        early = recorded_outliers(self.run)
        described = Described(self._folder("described")) if self.has("described") else None
        return Outliers(self.run.folder / f"outliers-{early.key}", joined(early, described), early.pixels)

    @cached_property
    def left_out(self) -> pd.DataFrame:
        """Images that could not be used, by set, kind and how many: set, kind, count, and reason and path of the first."""
        record = self.run.record
        entries = [entry for entry in record.get("skipped") or [] if isinstance(entry, dict)]
        for name, place in record["results"].get("sources", {}).items():
            entries += [{"set": name, **entry} for entry in Made(self.run.folder / place).about.get("skipped", [])]
        columns = ["set", "kind", "count", "reason", "path"]
        table = pd.DataFrame([{"kind": "unreadable", "count": 1, "reason": "", "path": ""} | entry for entry in entries], columns=columns)
        firsts = {"count": ("count", "sum"), "reason": ("reason", "first"), "path": ("path", "first")}
        return table.groupby(["set", "kind"], sort=False).agg(**firsts).reset_index()

    @property
    def counts(self) -> dict[str, int]:
        """Number of outliers by source, without reading them."""
        return {name: made.count for name, made in recorded_outliers(self.run).parts}

    @property
    def chosen(self) -> FilterRow | None:
        """The row of the filter table that validation images choose; never by figures on test images."""
        return chosen(self.run.rows)

    @property
    def generated(self) -> bool:
        """Whether any outliers were made by the preset's synthesiser and decoder."""
        return any(entry.source == "embedded" for entry in self.run.cfg.outliers)

    @property
    def scored(self) -> bool:
        """Whether the outliers have confidences and types; before that they can be looked at only."""
        return self.has("outliers")

    @cached_property
    def embeddings(self) -> NDArray[np.floating]:
        """(M, D) memory-mapped outlier embeddings, in the order of `outliers.table()`.

        Raises:
            BadInput: the run has no encoder.
        """
        return Described(self._folder("described")).embeddings

    @cached_property
    def train(self) -> Images:
        """ID training images."""
        folders = self.run.record["results"]
        return Images(self.run.folder / folders["train"], "train", self.run.folder / folders["split"])

    @cached_property
    def grid(self) -> Images:
        """The shift grid.

        Raises:
            BadInput: the run has none.
        """
        return Images(self._folder("grid"))

    @cached_property
    def encoded_key(self) -> str:
        """Key of the ID images."""
        return self.train.key

    @cached_property
    def anchors(self) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        """(N, D) memory-mapped z0 of the ID training images, and their (N,) labels."""
        return Encoded(self._folder("encoded")).z0, self.train.labels

    def neighbours(self, outlier_id: int, count: int = 8) -> pd.DataFrame:
        """The ID training images whose z0 is most alike: row, anchor_class and similarity (cosine, -1..1), nearest first; none without an encoder."""
        if not self.has("described"):
            return pd.DataFrame({"row": [], "anchor_class": [], "similarity": []})
        z0, labels = self.anchors
        vector = np.asarray(self.embeddings[self.outliers.place(outlier_id)], dtype=np.float32)
        similarity = z0 @ vector / (self._lengths * np.linalg.norm(vector)).clip(1e-12)
        rows = np.argsort(-similarity, kind="stable")[:count]
        return pd.DataFrame({"row": rows, "anchor_class": [self.classes[label] for label in labels[rows]], "similarity": similarity[rows]})

    def alike(self, outlier_id: int, count: int = 300) -> pd.DataFrame:
        """The outliers whose embeddings are most alike: outlier_id and similarity (cosine, -1..1), itself first.

        Raises:
            BadInput: the run has no encoder, or no such outlier.
        """
        rows, similarity = _most_alike(self._folder("described"), self.outliers.place(outlier_id), count)
        return pd.DataFrame({"outlier_id": self.outliers.values("outlier_id")[rows], "similarity": similarity})

    @cached_property
    def _lengths(self) -> NDArray[np.floating]:
        """(N,) length of every anchor's z0."""
        return np.linalg.norm(self.anchors[0], axis=1)

    @cached_property
    def classes(self) -> list[str]:
        """ID class names; a label is a position in it."""
        return list(self.train.classes)

    @cached_property
    def sources(self) -> list[str]:
        """Names of the sources of outliers."""
        return [entry.name for entry in self.run.cfg.outliers]

    @property
    def _confidences(self) -> Confidence:
        return Confidence(self._folder("calibration"))

    @cached_property
    def reference(self) -> pd.DataFrame:
        """Held-out images under the first detector: set ("validation" or "auxiliary"), log_odds, id_confidence."""
        return self._confidences.reference

    @cached_property
    def scored_by(self) -> str:
        """What is calibrated, with its unit."""
        name = Ranked(self._folder("ranked")).calibrated(self.run.cfg.calibrate.score)["name"]
        return "energy E (nats)" if name == "energy" else f"{name} (deviations beyond ID validation)"

    @cached_property
    def tau(self) -> float:
        """Least CLIP probability at which an outlier counts as recognised."""
        return Typed(self._folder("types")).tau

    @property
    def id_quantile(self) -> float:
        """5 % quantile of ID-validation confidence: kept outliers above it overlap with ID."""
        return float(self._confidence("validation").quantile(OVERLAP_QUANTILE))

    def confidence_groups(self, by_source: bool = False, source: tuple[str, ...] = ()) -> dict[str, NDArray[np.floating]]:
        """id_confidence of ID validation, all outliers (or those of each source) and, where "all" was evaluated, real OOD test images.

        Args:
            source: only outliers of these sources; none = of all.
        """
        groups = {"ID validation": self._confidence("validation").to_numpy()}
        if by_source and len(self.sources) > 1:
            shown = [name for name in self.sources if not source or name in source]
            # a source may be called like one of the other groups
            groups |= {_apart(name): self.outliers.values("id_confidence", Filters(source=(name,))) for name in shown}
        else:
            groups["outliers"] = self.outliers.values("id_confidence", Filters(source=source))
        if "all" in self.filters()["filter"].to_numpy():
            scores = self.scores("all")
            groups["real OOD"] = scores.loc[scores["set"] != "id", "id_confidence"].to_numpy()
        return groups

    def log_odds(self) -> dict[str, NDArray[np.floating]]:
        """Log-odds of the raw score (the energy, in nats, unless `calibrate.score` names another) of ID validation, of the auxiliary OOD set
        and of all outliers under the first detector."""
        held_out = self.reference.groupby("set")["log_odds"]
        names = {"validation": "ID validation", "auxiliary": "auxiliary OOD"}
        groups = {shown: held_out.get_group(name).to_numpy() for name, shown in names.items() if name in held_out.groups}
        return groups | {"outliers": self.outliers.values("log_odds")}

    def taken_for_id(self, accepted: float) -> tuple[float, dict[str, float]]:
        """The log-odds up to which a share `accepted` of ID validation lies, and the share of every other group that does."""
        of_id, *others = self.log_odds().items()
        limit = float(np.quantile(of_id[1], accepted))
        return limit, {name: float((log_odds <= limit).mean()) for name, log_odds in others}

    def _confidence(self, group: str) -> "pd.Series[float]":
        return self.reference.loc[self.reference["set"] == group, "id_confidence"]

    @cached_property
    def calibrator(self) -> Calibrator:
        """The first detector's fitted map from log-odds to id_confidence."""
        return self._confidences.calibrator

    def limits(self, lo: float, hi: float, *, quantiles: bool) -> tuple[float, float]:
        """A band in id_confidence, whether it was given so or in quantiles of ID validation."""
        return id_band(self._confidence("validation"), lo, hi) if quantiles else (lo, hi)

    def quantiles(self, lo: float, hi: float) -> tuple[float, float]:
        """The quantiles of ID validation at which a band in id_confidence begins and ends, so that `limits` gives it back; 0 and 1 stay open ends.

        Limits beyond all validation images become those of the nearest one: no quantile lies farther out.
        """
        validation = np.sort(self._confidence("validation"))
        first, last = np.interp([lo, hi], validation, np.linspace(0, 1, len(validation)))
        return (float(first) if lo > 0 else 0.0, float(last) if hi < 1 else 1.0)

    def scale(self, column: str) -> Scale:
        """The part of an axis that the outliers lie in, at ends with few digits; as wide as one step where all are alike."""
        values = self.outliers.values(column).astype(float)
        values = values[np.isfinite(values)]
        least, most = float(values.min()), float(values.max())
        step = 10.0 ** math.floor(math.log10(max(most - least, 1e-6) / 100))
        digits = max(0, round(-math.log10(step)))
        lo, hi = math.floor(least / step) * step, (math.floor(most / step) + 1) * step
        return Scale(round(lo, digits), round(hi, digits), step)

    @cached_property
    def outlier_scale(self) -> Scale:
        """The part of id_confidence that the outliers lie in."""
        found = self.scale("id_confidence")
        return Scale(max(0.0, found.lo), min(1.0, found.hi), found.step)

    @cached_property
    def minority_scale(self) -> Scale:
        """The part of the minority score's axis that the outliers lie in."""
        return self.scale("minority_score")

    @cached_property
    def cosine_scale(self) -> Scale:
        """The part of [-1, 1] in which the outliers' cosine to their nearest training image lies."""
        return self.scale("nearest_cosine")

    @cached_property
    def harm_scale(self) -> Scale:
        """The part of harm's axis that the outliers lie in, in millionths of AUROC."""
        return self.scale("harm")

    @cached_property
    def harm_told(self) -> Agreement | None:
        """How well harm foretells retrains of the head (LDS); none in a run that has not come so far."""
        return Harm(self._folder("harm")).agreement if self.has("harm") else None

    @property
    def fitting_scale(self) -> Scale:
        """What of id_confidence to show at first: all of it, or the outliers' part where that is small."""
        return self.outlier_scale if self.outlier_scale.hi - self.outlier_scale.lo < _NARROW else CONFIDENCES

    @cached_property
    def starting_band(self) -> tuple[float, float]:
        """The band in id_confidence to start with: the run's own, else that of the filter q-mid, else all outliers; the first of them that keeps at
        least `filter.AUTO_LEAST` of the outliers once its upper end is lowered until the overlap with ID is inside `filter.OVERLAP_LIMIT`. Where none
        does, the first that keeps anything.
        """
        cfg = self.run.cfg.filter
        bands = [self.limits(cfg.lo, cfg.hi, quantiles=cfg.strategy == "quantile")]
        try:
            table = self.outliers.table(columns=("outlier_id", "source", "id_confidence"))
            middle = table["id_confidence"][select(table, Filter(strategy="q-mid"), self._confidence("validation")).kept]
            bands.append((float(middle.min()), float(middle.max())))
        except EmptySelection:
            pass
        bands.append((self.outlier_scale.lo, self.outlier_scale.hi))
        lowered = [band for band in (self._inside_limit(*band) for band in bands) if band]
        least = AUTO_LEAST * len(self.outliers)
        kept = {band: self.outliers.count(Filters(id_confidence=band)) for band in [*lowered, *bands]}
        return next((band for band in lowered if kept[band] >= least), None) or next(band for band, count in kept.items() if count)

    def _inside_limit(self, lo: float, hi: float) -> tuple[float, float] | None:
        """The widest band from `lo` up to at most `hi` whose overlap is inside the limit; none where that keeps nothing."""
        values = np.sort(self.outliers.values("id_confidence", Filters(id_confidence=(lo, hi))))
        overlaps = np.cumsum(values > self.id_quantile) / np.arange(1, len(values) + 1)
        ends = np.append(values[1:] != values[:-1], True)[: len(values)]  # of equal confidences a band keeps all
        fitting = np.flatnonzero((overlaps <= OVERLAP_LIMIT) & ends)
        if not len(fitting):
            return None
        return (lo, hi) if fitting[-1] == len(values) - 1 else (lo, float(values[fitting[-1]]))

    def overlap(self, filters: Filters) -> float:
        """Share of the outliers that pass which look as ID as 95 % of ID validation; 0 where none passes."""
        return overlap(self.outliers.values("id_confidence", filters), self._confidence("validation"))

    def sweep(self, *, quantiles: bool) -> pd.DataFrame:
        """The previews of all bands, as `filter.sweep` makes them; empty where no sweep was run in this unit."""
        name = "sweep quantile" if quantiles else "sweep confidence"
        return Sweep(self._folder(name)).table if self.has(name) else pd.DataFrame()

    def summary(self, source: str) -> str:
        """A source's outliers in a line: how many, where their confidences lie, their types, and how many pass for ID."""
        only = Filters(source=(source,))
        confidence = self.outliers.values("id_confidence", only)
        mix = self.outliers.mix("ood_type", only)
        spread = " / ".join(f"{value:.2f}" for value in np.quantile(confidence, [0.05, 0.5, 0.95]))
        types = ", ".join(f"{100 * share:.0f} % {name}" for name, share in zip(mix["ood_type"], mix["share"], strict=True))
        passes = 100 * overlap(confidence, self._confidence("validation"))
        return (
            f"{source}: {len(confidence):,} outliers, id_confidence {spread} (5 / 50 / 95 %); {types}; {passes:.0f} % look as much like ID as 95 % "
            "of ID validation images do"
        )

    def filters(self) -> pd.DataFrame:
        """The filter table: filter, kept, lo, hi, overlap, then fpr95, auroc, aupr and id_accuracy as fractions; filters that kept nothing are left out."""
        columns = ["filter", "kept", "lo", "hi", "overlap", *METRICS]
        rows = [[row.name, *[getattr(row, column) for column in columns[1:]]] for row in self.run.rows.values() if not row.empty]
        return pd.DataFrame(rows, columns=columns)

    def scores(self, name: str) -> pd.DataFrame:
        """Test images under the detector of the filter `name`: set, label, class predicted, energy, log_odds, id_confidence, and the anomaly by every
        method.
        """
        return self._evaluation(name).scores

    def shift(self, name: str) -> pd.DataFrame:
        """The shift table of the filter `name`; empty where the preset has no grid."""
        return self._evaluation(name).shift

    def scorers(self, name: str) -> pd.DataFrame:
        """Our score ("bad-ood") and every baseline under the detector of `name`: scorer, fpr95, auroc, aupr (fractions, mean over the OOD sets)."""
        row = self._row(name)
        rows = {OURS: {metric: getattr(row, metric) for metric in OOD_METRICS}, **row.scorers}
        return pd.DataFrame([{"scorer": scorer, **{metric: figures[metric] for metric in OOD_METRICS}} for scorer, figures in rows.items()])

    def types(self, lo: float, hi: float) -> pd.DataFrame:
        """OOD types before and after the band lo..hi of id_confidence. Paper Table 3."""
        confidence = self.outliers.values("id_confidence")
        return type_table(self.outliers.values("ood_type"), (confidence >= lo) & (confidence <= hi))

    def types_at(self, tau: float) -> NDArray[np.object_]:
        """(M,) OOD type of every outlier at another tau, from the stored probabilities, in the file's order."""
        best, anchor = self.outliers.values("clip_prob"), self.outliers.values("clip_anchor_prob")
        # the anchor's class is the top-1 where both are the same number
        return np.where(best < tau, TYPES[2], np.where(anchor >= best, TYPES[0], TYPES[1])).astype(object)

    def type_table_at(self, tau: float, band: tuple[float, float], source: tuple[str, ...] = ()) -> pd.DataFrame:
        """OOD types before and after a band of id_confidence, at another tau; of these sources, or of all."""
        confidence, among = self.outliers.values("id_confidence"), self._among(source)
        return type_table(self.types_at(tau)[among], ((confidence >= band[0]) & (confidence <= band[1]))[among])

    def types_by_source(self, tau: float, band: tuple[float, float]) -> pd.DataFrame:
        """A row a source at a tau: source, outliers, the share of each type among them, inside (how many the band keeps), and the shares among these."""
        rows = []
        for name in self.sources:
            table = self.type_table_at(tau, band, (name,)).set_index("ood_type")
            before, after = (table[f"{when}_share"].to_dict() for when in ("before", "after"))
            shares = before | {f"{kind} inside": share for kind, share in after.items()}
            rows.append({"source": name, "outliers": table["before"].sum(), "inside": table["after"].sum(), **shares})
        return pd.DataFrame(rows)

    def _among(self, source: tuple[str, ...]) -> NDArray[np.bool_]:
        """(M,) which outliers are of these sources; all where none is named."""
        sources = pd.Series(self.outliers.values("source"))
        return sources.isin(source or self.sources).to_numpy(bool)

    def type_examples(self, tau: float, band: tuple[float, float], each: int = 12, source: tuple[str, ...] = ()) -> dict[str, pd.DataFrame]:
        """Outliers of each type inside a band at a tau, the clearest first; at most `each` a type, of these sources or of all.

        Clearest: those CLIP is surest of, and among what it does not recognise those it is least sure of.
        """
        needed = ("outlier_id", "source", "id_confidence", "clip_label", "clip_prob")
        table = self.outliers.table(columns=needed).assign(ood_type=self.types_at(tau))[self._among(source)]
        inside = table[table["id_confidence"].between(*band)].sort_values(["clip_prob", "outlier_id"], ascending=[False, True])
        examples = {name: inside[inside["ood_type"] == name] for name in TYPES}
        return {name: (rows[::-1] if name == "OOD-III" else rows).head(each) for name, rows in examples.items()}

    def kept(self, name: str) -> NDArray[np.int64]:
        """outlier_id of what the filter `name` kept, ascending."""
        ids = self.outliers.values("outlier_id").astype(np.int64)
        return np.sort(ids[Kept(self.run.folder / self._row(name).selection).mask])

    def _row(self, name: str) -> FilterRow:
        row = self.run.rows.get(name)
        if row is None or row.empty:
            having = ", ".join(self.filters()["filter"]) or "none yet"
            raise BadInput(f"run {self.run.id} has no evaluated filter {name!r}; it has {having}.")
        return row

    def _evaluation(self, name: str) -> Evaluated:
        return Evaluated(self.run.folder / self._row(name).evaluation)


def _apart(name: str) -> str:
    """A source's name as that of a group of confidences."""
    return f"{name} (source)" if name in ("ID validation", "outliers", "real OOD") else name


def finished(run: Run | str | Path) -> Finished:
    """Open a run by itself, its id or its folder.

    Raises:
        BadInput: there is no such run.
    """
    return Finished(run if isinstance(run, Run) else open_run(run))


@lru_cache(maxsize=64)  # of a grid that is looked through, every page asks again; a folder of results never changes
def _most_alike(described: Path, itself: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the embeddings with the largest cosine to one of them, itself first, and that cosine."""
    embeddings = Described(described).embeddings  # opened for this alone: all of it is read, and would stay in memory
    vector = np.array(embeddings[itself], dtype=np.float32)
    vector /= max(float(np.linalg.norm(vector)), 1e-12)
    similarity = np.empty(len(embeddings), dtype=np.float32)
    for first in range(0, len(similarity), _AT_ONCE):
        block = np.asarray(embeddings[first : first + _AT_ONCE], dtype=np.float32)
        similarity[first : first + _AT_ONCE] = block @ vector / np.linalg.norm(block, axis=1).clip(1e-12)
    similarity[itself] = 2  # first, before its copies
    count = min(count, len(similarity))
    rows = np.argpartition(-similarity, count - 1)[:count]
    rows = rows[np.argsort(-similarity[rows], kind="stable")]
    return rows, similarity[rows].clip(-1, 1)
