"""Tables by the protocols of OpenOOD v1.5: near and far OOD, and the full spectrum. Source: Zhang et al. 2023."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import AUROC, Column, OfASet, Row, Table
from badood.benchmark.variants import each_alone, every_source
from badood.benchmark.wanted import Wanted
from badood.config import Config, NamedSource, Source
from badood.core.errors import BadInput
from badood.data.openood import Member, members
from badood.evaluate.metrics import FPR95_OPENOOD, ood_metrics
from badood.pipeline.judge import ID_SET
from badood.pipeline.preflight import base_of

TESTS = ("near", "far")
SHIFTED = "shifted"


class SpectrumTable(Table):
    """Detectors on the sets of a protocol that are there; ID images are OpenOOD's lists where they are there, else the preset's.

    Attributes:
        full: the full spectrum: shifted ID images count as ID.
        sources: of outliers beside the preset's own.
    """

    full: ClassVar[bool] = False
    sources: ClassVar[Sequence[str]] = ()
    columns: ClassVar = (
        Column("near_auroc", "near AUROC ↑", 1, compared=True, paper="near AUROC"),
        Column("near_fpr95", "near FPR95 of OpenOOD ↓", -1),
        Column("far_auroc", "far AUROC ↑", 1, compared=True, paper="far AUROC"),
        Column("far_fpr95", "far FPR95 of OpenOOD ↓", -1),
        Column("id_accuracy", "ID accuracy ↑", 1, paper="ID Acc"),
    )
    of_a_set: ClassVar[Sequence[OfASet]] = ((AUROC.name, AUROC.title, 1), (FPR95_OPENOOD, "FPR95 of OpenOOD ↓", -1))

    def needs(self, cfg: Config, wanted: Wanted) -> str:
        """Test sets of the protocol, where none is there."""
        try:
            sets = self._members(cfg, wanted)
        except BadInput as error:
            return str(error)
        tests = [each for each in sets if each.role in TESTS]
        return "; ".join(each.missing for each in tests) if all(each.missing for each in tests) else ""

    def missing(self, cfg: Config, wanted: Wanted) -> dict[str, str]:
        """Sets of the protocol that are not there."""
        roles = (*TESTS, "id-train", "id-test", "val-ood", *([SHIFTED] if self.full else []))
        return {each.source.name: each.missing for each in self._members(cfg, wanted) if each.missing and each.role in roles}

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """The preset's own outliers, and those of the other sources, on the sets of the protocol."""
        own = self._on_protocol(cfg, self._members(cfg, wanted))
        known = every_source(cfg)
        named = {entry.name: entry for entry in cfg.outliers} | {name: known[name] for name in self.sources if name in known}
        return each_alone(own, named)

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """The outliers that the filter keeps."""
        judged = at.evaluated(at.selections()["calibrated"])
        return [{"row": part, **self.figures(at, judged.scores, "log_odds"), "id_accuracy": judged.metrics["id_accuracy"]}]

    def figures(self, at: Seeded, scores: pd.DataFrame, column: str) -> Row:
        """The means over near and far sets, and the figures of each set, by one score.

        Args:
            scores: as `Evaluated.scores`. column: of the score, larger = more OOD.
        """
        roles = self._roles(at.cfg)
        known = scores["set"].isin([ID_SET, *(name for name, role in roles.items() if self.full and role == SHIFTED)])
        of_set = {
            name: ood_metrics(scores.loc[known, column], scores.loc[scores["set"] == name, column])
            for name, role in roles.items()
            if role in TESTS
        }
        row: Row = {}
        for role in TESTS:
            of_role = [figures for name, figures in of_set.items() if roles[name] == role]
            if of_role:
                row |= {f"{role}_auroc": float(np.mean([each["auroc"] for each in of_role]))}
                row |= {f"{role}_fpr95": float(np.mean([each[FPR95_OPENOOD] for each in of_role]))}
        return row | {f"{key} {name}": each[key] for name, each in of_set.items() for key, *_ in self.of_a_set}

    def foil(self, row: str) -> str:
        """The paper's method."""
        return "" if row == "minority" else "minority"

    def _roles(self, cfg: Config) -> dict[str, str]:
        """The role of every OOD set, which their names begin with."""
        return {source.name: source.name.split(": ")[0] for source in cfg.data.ood}

    def _members(self, cfg: Config, wanted: Wanted) -> list[Member]:
        root = Path(wanted.root) if wanted.root else base_of(cfg) or Path.cwd()
        return members(wanted.protocol or cfg.preset, root)

    def _on_protocol(self, cfg: Config, sets: Sequence[Member]) -> Config:
        there = {role: [each.source for each in sets if each.role == role and not each.missing] for role in {each.role for each in sets}}
        tests = [
            source.model_copy(update={"name": f"{role}: {source.name}"}) for role in self._shown_roles for source in there.get(role, [])
        ]
        update: dict[str, object] = {"ood": tests, "auxiliary": there["val-ood"] or _disjoint(cfg.data.auxiliary, sets)}
        if there["id-train"] and there["id-test"]:
            update |= {part: Source(**there[f"id-{part}"][0].model_dump(exclude={"name", "optional"})) for part in ("train", "test")}
        return cfg.model_copy(update={"data": cfg.data.model_copy(update=update)})

    @property
    def _shown_roles(self) -> tuple[str, ...]:
        return (*TESTS, *([SHIFTED] if self.full else []))


def _disjoint(auxiliary: Sequence[NamedSource], sets: Sequence[Member]) -> list[NamedSource]:
    """The preset's auxiliary sets without those of which a test set of the protocol is."""
    tested = {each.source.name for each in sets if each.role in TESTS}
    return [source for source in auxiliary if source.dataset not in tested]
