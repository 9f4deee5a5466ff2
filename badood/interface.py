"""Runs in a notebook: make one, open one, look, select, preview, retrain, evaluate. `import badood` gives all of it.

Examples run as doctests on a small run, so `run` in them is any finished one.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from badood.config import Config, Filter, load_config
from badood.core.errors import BadInput
from badood.core.progress import Progress, Terminal
from badood.filter import overlap
from badood.pipeline.filter_rows import FilterRow
from badood.pipeline.own_detector import given_detector
from badood.pipeline.own_outliers import Outliers, with_outliers

if TYPE_CHECKING:
    from badood.explore.finished import Finished
    from badood.explore.widget import Gallery
    from badood.pipeline.preview import Previews
    from badood.pipeline.train_all import OwnModels

Verdict = Literal["keep", "reject", "unsure"]


@dataclass(frozen=True)
class Selected:
    """A choice among the outliers of a run, to be previewed or retrained on.

    Attributes:
        filter: as the settings have it. ids: (K,) outlier_id of what it keeps, ascending.
        overlap: share of them that look as much like ID as 95 % of ID validation images do, in [0, 1].
    """

    filter: Filter
    ids: NDArray[np.int64]
    overlap: float

    def __len__(self) -> int:
        return len(self.ids)


class OpenRun:
    """A run, open for looking and asking. Nothing is made but by `retrain` and `repeat`.

    Attributes:
        found: all that it found, by name: scores of test images, heatmaps, embeddings, ...; `badood.explore.notebook` draws it.
    """

    def __init__(self, found: "Finished") -> None:
        self.found = found

    def __repr__(self) -> str:
        return f"<badood run {self.id}: {self.state}, {len(self.found.outliers):,} outliers of {', '.join(self.found.sources)}>"

    @property
    def id(self) -> str:
        """Its name.

        >>> run.id
        'small'
        """
        return self.found.run.id

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.found.run.folder

    @property
    def settings(self) -> Config:
        """Its resolved settings.

        >>> run.settings.preset
        'miniworld'
        """
        return self.found.run.cfg

    @property
    def state(self) -> str:
        """done, running, failed or interrupted."""
        return str(self.found.run.record["state"])

    @property
    def outliers(self) -> pd.DataFrame:
        """A row an outlier: outlier_id, source, id_confidence (1 = looks ID), energy (nats), ood_type, and what its source knows.

        >>> run.outliers["id_confidence"].between(0, 1).all().item()
        True
        """
        return self.found.outliers.table()

    def images(self, ids: Iterable[int]) -> list[Image.Image]:
        """Pictures of outliers, in the order of `ids`.

        Raises:
            BadInput: the run has no such outlier.

        >>> run.images([0, 1])[0].size
        (64, 64)
        """
        return [Image.open(io.BytesIO(data)) for data in self.found.outliers.images([int(number) for number in ids]).values()]

    @property
    def table(self) -> pd.DataFrame:
        """The filter table: a row a detector; fpr95, auroc, aupr and id_accuracy are fractions on test images.

        >>> "all" in set(run.table["filter"])
        True
        """
        return self.found.filters()

    def band(
        self, lo: float, hi: float, *, quantiles: bool = False, sources: Sequence[str] = (), without_rejected: bool = False
    ) -> Selected:
        """Outliers with lo <= id_confidence <= hi.

        Args:
            quantiles: the limits are quantiles of the ID validation images' confidence. sources: only of these; empty = of all.
            without_rejected: leave out those whose verdict is "reject".

        Raises:
            EmptySelection: it keeps nothing; says where the confidences lie.

        >>> len(run.band(0, 1)) == len(run.outliers)
        True
        """
        out = self.verdicts.query("verdict == 'reject'")["outlier_id"].tolist() if without_rejected else []
        strategy = "quantile" if quantiles else "band"
        return self.filtered(Filter(strategy=strategy, lo=lo, hi=hi, sources=list(sources), without=out))

    def select(
        self,
        ids: Iterable[int] | NDArray[np.bool_] | None = None,
        *,
        ood_type: str | Sequence[str] = (),
        source: str | Sequence[str] = (),
        verdict: Verdict | None = None,
    ) -> Selected:
        """Outliers by number or mask, type, source or verdict; what is given must all hold.

        Args:
            ids: outlier_id, or a mask over the rows of `outliers`.

        Raises:
            EmptySelection: nothing is left.

        >>> len(run.select(run.outliers["id_confidence"] >= 0))
        90
        """
        table = self.outliers
        keep = np.ones(len(table), dtype=bool)
        if ids is not None:
            asked = np.asarray(ids if isinstance(ids, pd.Series | np.ndarray) else list(ids))
            if asked.dtype == bool and len(asked) != len(table):
                raise BadInput(
                    f"the mask has {len(asked):,} entries and the run {len(table):,} outliers; give one for each row of `outliers`."
                )
            keep &= asked if asked.dtype == bool else table["outlier_id"].isin(asked).to_numpy()
        for column, wanted in (("ood_type", ood_type), ("source", source)):
            names = [wanted] if isinstance(wanted, str) else list(wanted)
            keep &= table[column].isin(names).to_numpy() if names else True
        if verdict is not None:
            given = self.verdicts
            keep &= table["outlier_id"].isin(given.loc[given["verdict"] == verdict, "outlier_id"]).to_numpy()
        return self.filtered(Filter(strategy="all", ids=table.loc[keep, "outlier_id"].astype(int).tolist()))

    def filtered(self, chosen: Filter) -> Selected:
        """Outliers that any filter of the settings keeps.

        >>> from badood.config import Filter
        >>> len(run.filtered(Filter(strategy="random", count=10)))
        10
        """
        table, validation = self.outliers, self.found.reference.query("set == 'validation'")["id_confidence"].to_numpy()
        kept = self._previews.select(table, chosen, validation).kept
        return Selected(chosen, table.loc[kept, "outlier_id"].to_numpy(np.int64), overlap(table.loc[kept, "id_confidence"], validation))

    def preview(self, selected: Selected) -> dict[str, float]:
        """fpr95, auroc and aupr on validation images after the last layer alone was retrained on a selection. Seconds; not a full retrain.

        >>> sorted(run.preview(run.band(0, 1)))[:2] == ["aupr", "auroc"]
        True
        """
        return self._previews.head_metrics(self.outliers["outlier_id"].isin(selected.ids).to_numpy())

    @property
    def _previews(self) -> "Previews":
        from badood.pipeline.opened import recorded

        return recorded(self.found.run).previews

    def retrain(self, selected: Selected, name: str | None = None, progress: Progress | None = None) -> FilterRow:
        """Retrain the detector on a selection, from the same start as the first one, and evaluate it. Minutes.

        Args:
            name: of its row in `table`; none = as the filter says.

        >>> row = run.retrain(run.band(0, 1), name="everything")  # is the first detector: nothing is trained again
        >>> row.kept
        90
        """
        from badood.pipeline.path import retrain
        from badood.pipeline.runs import open_run

        with _telling(progress) as told:
            return retrain(open_run(self.folder, told), selected.filter, name)

    def repeat(self, selections: Mapping[str, Selected | None], seeds: int = 3, progress: Progress | None = None) -> pd.DataFrame:
        """Retrain on each selection with several seeds, so that chance can be told from difference. Nothing is added to `table`.

        All rows of a seed share the detector's first weights and the order of its images: hold them against one another seed by seed. The
        confidences stay those of the run, so what is repeated is the training. Made once, results are found again.

        Args:
            selections: by the name of the row; none = trained on ID images alone. seeds: 0, 1, ..., how many.

        Returns:
            A row a seed and selection: seed, row, kept, fpr95, auroc, aupr, fpr95_openood and id_accuracy as fractions on test images, and
            "fpr95 SET" and "auroc SET" of every OOD set. Source: Bad-OOD Table 2, which reports one training each.

        >>> rows = run.repeat({"none": None, "all": run.band(0, 1)}, seeds=1)
        >>> rows[["seed", "row", "kept"]].values.tolist()
        [[0, 'none', 0], [0, 'all', 90]]
        """
        from badood.benchmark.repeat import repeat
        from badood.pipeline.runs import open_run

        filters = {name: None if chosen is None else chosen.filter for name, chosen in selections.items()}
        with _telling(progress) as told:
            return repeat(open_run(self.folder, told), filters, seeds)

    def guided(
        self, rows: int | Sequence[int], *, scales: Sequence[float] = (), t: Sequence[int] = (), s: Sequence[int] = ()
    ) -> pd.DataFrame:
        """What becomes of ID training images at other settings of the guidance: every combination, a second or so for ten images.

        Draws are those of the image's row, so that only the settings change what comes out.

        Args:
            rows: of the ID training images, 0-based. scales: guidance scales, >= 0; 0 = denoised without guidance.
            t: diffusion steps of noise before denoising, 1..999. s: those by which the guidance noises its estimate again. None given = the run's.

        Returns:
            A row an image and combination: anchor_row, anchor_class, guidance_scale, t, s, minority_score (distance in z, >= 0; larger = rarer),
            energy (nats), id_confidence (1 = looks ID), image (PIL). What the synthesiser does not have (t, s) is left out.

        Raises:
            BadInput: the run's outliers were not synthesised, it has no such image, or a value is out of range.

        Source: Bad-OOD sec. 3.2, eq. 1 and 2.

        >>> run.guided(0, scales=[0, 0.05])[["guidance_scale", "t", "s"]].values.tolist()
        [[0.0, 300.0, 125.0], [0.05, 300.0, 125.0]]
        """
        from badood.pipeline.anchors import varied

        return varied(self.found.run, [rows] if isinstance(rows, int) else list(rows), scales=scales, t=t, s=s)

    def score(self, path: str | Path, filter: str | None = None) -> pd.DataFrame:
        """A row an image below a path: image, predicted class, energy, id_confidence, anomaly.

        Args:
            filter: row of `table` whose detector answers; none = the one that validation data choose.
        """
        from badood.pipeline.ask import score

        return score(self.found.run, path, filter).table

    def evaluate(self, *paths: str | Path, filter: str | None = None) -> pd.DataFrame:
        """A row an OOD set below each path: fpr95, auroc, aupr as fractions, against the run's ID test images.

        Args:
            filter: as for `score`.
        """
        from badood.pipeline.ask import evaluate

        (row,) = evaluate(self.found.run, list(paths), filter).rows.values()
        return pd.DataFrame(row.per_set).T.rename_axis("set").reset_index()

    def show(
        self,
        band: tuple[float, float] | None = None,
        *,
        sort: str = "id_confidence",
        descending: bool = True,
        sources: Sequence[str] = (),
        who: str = "notebook",
    ) -> "Gallery":
        """A gallery to look at in the notebook: the dashboard's grid, a band to move on the histogram, verdicts, and a retrain in the background.

        Args:
            band: lo and hi of id_confidence to begin with; none = the run's own, inside the limit of overlap with ID. sort: column of `outliers`.
            descending: largest first. sources: only outliers of these; empty = of all. who: stands beside the verdicts.

        Returns:
            A Jupyter widget; its `band` is what the slider says, its `filter` what `filtered` takes.

        Raises:
            BadInput: `sort` is no column, or the run has no outliers yet.

        >>> gallery = run.show((0.0, 1.0))
        >>> len(run.filtered(gallery.filter)) == len(run.outliers)
        True
        """
        from badood.explore.widget import Gallery

        start = band or (self.found.starting_band if self.found.scored else (0.0, 1.0))
        return Gallery(self.found, start, sort=sort, descending=descending, sources=sources, who=who)

    @property
    def verdicts(self) -> pd.DataFrame:
        """The verdicts that stand: outlier_id, verdict, who, at.

        >>> run.judge([0, 1], "reject")
        >>> run.verdicts["verdict"].tolist()
        ['reject', 'reject']
        """
        from badood.store import open_database, verdicts

        return verdicts.current(open_database(), self.id)

    def judge(self, ids: Iterable[int], verdict: Verdict, who: str = "notebook") -> None:
        """Give a verdict on outliers; they are those that the dashboard shows."""
        from badood.store import open_database, verdicts

        verdicts.give(open_database(), self.id, [int(number) for number in ids], verdict, who=who)


def run(
    preset: str | Path = "miniworld",
    *,
    data: str | Path | None = None,
    dataset: str | None = None,
    outliers: Outliers | Sequence[Outliers] = (),
    only_imported: bool = False,
    detector: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> OpenRun:
    """The whole method; equal settings continue the same run.

    Args:
        preset: name or YAML file. data, dataset: ID images and what reads them, as --data and --dataset.
        outliers: what something else made, beside the preset's generator. only_imported: in its place.
        detector: weights of yours, as --detector: a file or timm:NAME, ..., tuned with the outliers; as they are with "detector.mode": "as-is".
        set: settings by name, such as {"detector.epochs": 2}.

    Raises:
        BadInput: what can be known to fail is told before the first stage.
    """
    from badood.pipeline.path import run as run_path

    cfg = settings(preset, data=data, dataset=dataset, outliers=outliers, only_imported=only_imported, detector=detector, set=set)
    with _telling(progress) as told:
        finished = run_path(cfg, name, told)
    return open(finished.id)


def settings(
    preset: str | Path = "miniworld",
    *,
    data: str | Path | None = None,
    dataset: str | None = None,
    outliers: Outliers | Sequence[Outliers] = (),
    only_imported: bool = False,
    detector: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
) -> Config:
    """The settings that `run` takes; its arguments.

    >>> settings(set={"detector.epochs": 2}).detector.epochs
    2.0
    """
    overrides = [*given_detector(detector, "tuned"), *_overrides(set)]
    cfg = load_config(str(preset), overrides, None if data is None else Path(data), dataset)
    entries = [outliers] if isinstance(outliers, str | Path | Mapping) else list(outliers)
    return with_outliers(cfg, entries, only=only_imported)


@contextmanager
def _telling(progress: Progress | None) -> Iterator[Progress]:
    """Who is told how far the work is: by default the terminal, or a line of the notebook, until the work is done."""
    if progress is not None:
        yield progress
        return
    terminal = Terminal()
    try:
        yield terminal
    finally:
        terminal.close()


def _overrides(set: Mapping[str, Any] | None) -> list[str]:
    """Settings by name as the command line takes them."""
    import yaml

    return [
        f"{field}={yaml.safe_dump(value, default_flow_style=True).removesuffix('...' + chr(10)).strip()}"
        for field, value in (set or {}).items()
    ]


def train(
    data: str | Path,
    *,
    dataset: str | None = None,
    name: str | None = None,
    start: str | None = None,
    size: int | None = None,
    minutes: float | None = None,
    set: Mapping[str, Any] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> "OwnModels":
    """The five models for images of your own, as `badood train all`: `run(models.preset, data=data)` then uses them.

    A training that was cut off goes on, and one that is finished is not done again.

    Args:
        data: a folder with a subfolder a class, or what `dataset` reads. name: of the models' folder; none = the images'.
        start: preset, or "cifar", whose weights they start from; none = random ones. size: side in px, 32, 64 or 128; none = by the images.
        minutes: that it may take, by estimate; none = as long as it wants. set: settings by name, such as {"rdm.epochs": 20}.
        replace: models of other images or settings that lie in the folder.

    Returns:
        Their folder and preset; what they, and those that they started from, reach on test images (`after`, `before`: psnr_db, decode_consistency and
        clip_top1 as fractions, misfit); all of it in words as `told`.

    Raises:
        BadInput: the images cannot be used, or other models lie there. BadConfig: a size, start or setting that cannot be.
    """
    from badood.pipeline.train_all import begin_all, train_all
    from badood.pipeline.wish import Wish

    wish = Wish(Path(data), dataset, name, size=size, start=start, minutes=minutes, settings=tuple(_overrides(set)))
    with _telling(progress) as told:
        return train_all(wish, begin_all(wish, replace=replace), told)


def audit(
    outliers: str | Path | Sequence[str | Path], judge: "OpenRun | Config | str", name: str | None = None, progress: Progress | None = None
) -> OpenRun:
    """Outliers of any generator under a detector that exists: scored, typed, described, and nothing trained.

    Args:
        outliers: folders or files, a source each. judge: a finished run or its id, whose first detector is taken; or settings that name one.
        name: of the run that is made.

    Raises:
        BadInput: the settings name no detector, or the outliers cannot be read.
    """
    from badood.pipeline.audit import audit as audit_path

    paths = [outliers] if isinstance(outliers, str | Path) else outliers
    with _telling(progress) as told:
        made = audit_path([Path(path) for path in paths], judge.found.run if isinstance(judge, OpenRun) else judge, name, told)
    return open(made.id)


def open(name: str | Path) -> OpenRun:
    """A run by its id in the store, or its folder.

    Raises:
        BadInput: there is no such run; names those that are there.
    """
    from badood.explore.finished import finished

    return OpenRun(finished(name))


def runs() -> list[str]:
    """Ids of all runs of the store, newest first.

    >>> "small" in runs()
    True
    """
    from badood.pipeline.runs import list_runs

    return [run.id for run in list_runs()]
