"""A run with one seed, for experiments: everything is found once, and results that other seeds or rows made are used again by their keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from badood.config import Config, Filter
from badood.core.errors import EmptySelection
from badood.evaluate.metrics import FPR95_OPENOOD, METRICS
from badood.pipeline.artefacts import Evaluated, Images, Kept, Outliers, Trained
from badood.pipeline.engines import Processes
from badood.pipeline.filter_rows import FilterRow
from badood.pipeline.path import find, retrain_all, train_each
from badood.pipeline.results import Results
from badood.pipeline.runs import Run
from badood.pipeline.sets import read_images, read_real
from badood.pipeline.stage import Context, Engine
from badood.pipeline.stages.select import everything, filter_table

FIGURES = (*METRICS, FPR95_OPENOOD, "id_accuracy")
"""What a trained detector is judged by, fractions of the OOD and ID test images."""


LEAST = 0.05
"""A filter that keeps a smaller share of the outliers does not decide the number at which all are compared."""
FEW = 0.1
"""Share of the outliers at which selections of different runs are compared."""


@dataclass(frozen=True)
class Seeded:
    """Settings with one seed, in the folder of a run that all seeds share.

    The outliers are the same for all seeds; what changes is the detector's seed (initial weights, order, augmentation), hence the calibration
    and what each band keeps, and what is drawn at random. All rows of a seed share it, so that differences are paired.

    Attributes:
        run: the folder, and the settings with the seed. seed: of detector and filter.
    """

    run: Run
    seed: int

    @classmethod
    def of(cls, base: Run, cfg: Config, seed: int) -> "Seeded":
        """Settings with a seed in the folder of `base`."""
        seeds_of = {"detector": cfg.detector, "filter": cfg.filter}
        seeded = cfg.model_copy(update={name: part.model_copy(update={"seed": seed}) for name, part in seeds_of.items()})
        return cls(Run(base.folder, seeded, base.progress), seed)

    @property
    def cfg(self) -> Config:
        """The settings with the seed."""
        return self.run.cfg

    @cached_property
    def do(self) -> Engine:
        """What runs its stages."""
        return Processes(self.run, Context(self.cfg.compute, self.run.progress))

    @cached_property
    def found(self) -> Results:
        """All that comes before the filters."""
        return find(self.do, self.run, read_images(self.do, self.cfg))

    def retrained(self, filters: Mapping[str, Filter], found: Results | None = None) -> list[dict[str, Any]]:
        """A row a filter: row, kept, overlap, `FIGURES`, and "fpr95 SET" and "auroc SET"; a note in their place where it keeps nothing.

        Args:
            found: in the place of the seed's own.
        """
        return [_row(each) for each in retrain_all(self.do, self._judging(()), found or self.found, filters).values()]

    def with_and_without(self, part: str) -> list[dict[str, Any]]:
        """Rows "PART all" and "PART calibrated": all outliers, and those of `selections` that the filter keeps."""
        chosen = self.selections()
        return self.retrained({f"{part} {name}": chosen[name] for name in ("all", "calibrated")})

    def evaluated(self, chosen: Filter, scorers: Sequence[str | dict[str, Any]] = ()) -> Evaluated:
        """The detector that is retrained on what a filter keeps, on every test image, by these scorers beside ours.

        Raises:
            EmptySelection: the filter keeps nothing.
        """
        (row,) = retrain_all(self.do, self._judging(scorers), self.found, {"": chosen}).values()
        if row.empty:
            raise EmptySelection(row.empty)
        return Evaluated(self.run.folder / row.evaluation)

    def trained(
        self,
        choices: Sequence[tuple[Outliers | Images | None, Kept | None]],
        scorers: Sequence[str | dict[str, Any]] = (),
        found: Results | None = None,
    ) -> list[tuple[Trained, Evaluated]]:
        """A detector on each choice of outliers, as `train_each`, judged by these scorers beside ours.

        Args:
            found: in the place of the seed's own.
        """
        return train_each(self.do, self._judging(scorers), found or self.found, choices)

    def ends(self, count: int) -> list[dict[str, Any]]:
        """Rows of what there is without outliers, and with `count` real images of other classes in their place, where the preset has them."""
        real = read_real(self.do, self.cfg, count)
        choices = {"none": (None, None)} | ({} if real is None else {"real": (real, self.do(everything, real))})
        kept = {"none": 0, "real": 0 if real is None else len(real)}
        made = self.trained(list(choices.values()))
        return [{"row": name, "kept": kept[name], **figures(each.metrics)} for name, (_, each) in zip(choices, made, strict=True)]

    @property
    def few(self) -> int:
        """A tenth of the outliers: the number at which selections of different runs are compared."""
        return max(2, round(FEW * len(self.found.outliers)))

    def selections(self) -> dict[str, Filter]:
        """All outliers, a tenth at random, and as many of those that the run's filter keeps, where it keeps so many."""
        return {
            "all": Filter(strategy="all"),
            "random": Filter(strategy="random", count=self.few, seed=self.seed),
            "calibrated": self.cfg.filter.model_copy(update={"count": self.few}),
        }

    def equal_count(self, filters: Sequence[Filter], among: int) -> int:
        """The number at which filters are compared: that of the smallest that is no handful of the `among` outliers that they choose from."""
        least = max(2, round(LEAST * among))
        found, sizes = self.found, []
        table = filter_table(found.outliers, found.described, found.confidence, found.harm)
        for each in filters:
            try:
                sizes.append(int(found.previews.select(table, each, found.confidence.validation).kept.sum()))
            except EmptySelection:
                continue
        return min([size for size in sizes if size >= least], default=least)

    def _judging(self, scorers: Sequence[str | dict[str, Any]]) -> Run:
        """The run with other baseline scorers for what is trained after `found`, which settled what is calibrated."""
        evaluate = self.cfg.evaluate.model_copy(update={"scorers": list(scorers)})
        return replace(self.run, cfg=self.cfg.model_copy(update={"evaluate": evaluate}))


def figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """`FIGURES` of the metrics of an evaluation or a row, and FPR95 and AUROC of every OOD set."""
    of_set = {f"{key} {name}": each[key] for name, each in metrics["per_set"].items() for key in ("fpr95", "auroc")}
    return {key: metrics[key] for key in FIGURES if key in metrics} | of_set


def _row(made: FilterRow) -> dict[str, Any]:
    told = {"row": made.name, "kept": made.kept, "overlap": made.overlap, **figures(vars(made))}
    return told | ({"note": made.empty} if made.empty else {})
