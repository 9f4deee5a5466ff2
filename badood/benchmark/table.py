"""What a table or figure of the paper is here, and the registry of them: settings to run, rows to measure, columns to show."""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd

from badood.benchmark.pages import plot_intervals, summary
from badood.benchmark.seeded import Seeded
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.core.registry import Registry
from badood.data.splits import missing as missing_files
from badood.pipeline.preflight import base_of

Row = dict[str, Any]
"""row (its name), figures by the names of columns, and a note where there are none. Plain values, as JSON takes them."""

PAPERS_SCALE = (
    "The paper's figures are of ImageNet-100 or CIFAR-100 at its own scale (ResNet-34, 100 epochs, 130,000 outliers). They are quoted as it "
    "prints them, to compare directions; sizes cannot be compared with another preset's."
)


@dataclass(frozen=True)
class Column:
    """A column of figures.

    Attributes:
        name: key in the rows. title: for people. better: whether higher (1) or lower (-1) figures are; 0 = neither.
        percent: figures are fractions and shown in percent. compared: the difference from the foil is shown.
        paper: the paper's column that is shown beside it; empty = none.
    """

    name: str
    title: str
    better: Literal[-1, 0, 1] = 0
    percent: bool = True
    compared: bool = False
    paper: str = ""


KEPT = Column("kept", "outliers", percent=False)
FPR95 = Column("fpr95", "FPR95 ↓", -1, compared=True, paper="FPR95")
AUROC = Column("auroc", "AUROC ↑", 1, compared=True, paper="AUROC")
AUPR = Column("aupr", "AUPR ↑", 1, paper="AUPR")
FPR95_OF_OPENOOD = Column("fpr95_openood", "FPR95 of OpenOOD ↓", -1)
ID_ACCURACY = Column("id_accuracy", "ID accuracy ↑", 1, paper="ID ACC")
DETECTION = (KEPT, FPR95, AUROC, AUPR, FPR95_OF_OPENOOD, ID_ACCURACY)
"""What a detector reaches: the mean over the OOD test sets, and the ID accuracy."""
OfASet = tuple[str, str, Literal[-1, 1]]
OF_A_SET: tuple[OfASet, ...] = (("fpr95", "FPR95 ↓", -1), ("auroc", "AUROC ↑", 1))


class Table(ABC):
    """A table or figure of the paper. It has one part for each set of settings that a run of its own is made with.

    Attributes:
        title: what it shows. told: how it is read, in sentences. columns: of figures; the first compared one is drawn.
        of_a_set: figures of every OOD set that are shown too: key, title and direction; "KEY SET" are their keys in the rows.
        paper: the paper's own figures as CSV: a column `row` with the row of ours that they belong to (empty = none), then as printed; a blank
            line parts two tables.
        source: what of the paper that is. picture: ending of the picture's file. most_seeds: where more say nothing new.
    """

    title: ClassVar[str]
    told: ClassVar[str] = ""
    columns: ClassVar[Sequence[Column]] = DETECTION
    of_a_set: ClassVar[Sequence[OfASet]] = ()
    paper: ClassVar[str] = ""
    source: ClassVar[str]
    picture: ClassVar[str] = ".svg"
    most_seeds: ClassVar[int] = 100

    def parts(self, cfg: Config, wanted: Wanted) -> Mapping[str, Config]:
        """By name the settings of its runs; one, those of the preset.

        Raises:
            BadInput: none can be made.
        """
        return {"": cfg}

    def needs(self, cfg: Config, wanted: Wanted) -> str:
        """What it needs beyond the preset and is not there, without which it has no part; empty = nothing."""
        return ""

    def missing(self, cfg: Config, wanted: Wanted) -> dict[str, str]:
        """By name the OOD sets that are not there, and why; the table is made without them."""
        return {source.name: why for source in cfg.data.ood if (why := missing_files(source, base_of(cfg)))}

    @abstractmethod
    def measure(self, at: Seeded, part: str) -> list[Row]:
        """The rows of a part with one seed. What cannot be measured is a row with a note, or a BadInput where that is all.

        Args:
            at: the part's settings, run with this seed.
        """

    def foil(self, row: str) -> str:
        """The row that a row is held against, paired by seed; empty = none."""
        return ""

    def draw(self, rows: pd.DataFrame, path: Path, title: str) -> None:
        """A picture of the rows: the differences in the first compared column, or where nothing is compared its means, with intervals."""
        made = summary(self, rows)
        column = next((each for each in self.columns if each.compared), self.columns[0])
        against = f"less {column.name}"
        differs = any(told is not None for told in made[against])
        shown = {row["row"]: row[against if differs else column.name] for row in made.to_dict("records")}
        label = f"{column.title}, {'difference' if differs else 'mean'}{', points' if column.percent else ''} (grey: not distinguishable)"
        plot_intervals({name: told for name, told in shown.items() if told is not None}, path, title, label, column)

    def shown(self, rows: pd.DataFrame) -> list[Column]:
        """The columns, and those of every OOD set where they are shown."""
        sets = [str(name).removeprefix("auroc ") for name in rows if str(name).startswith("auroc ")]
        of_sets = (Column(f"{key} {name}", f"{title}, {name}", better) for name in sets for key, title, better in self.of_a_set)
        return [*self.columns, *of_sets]

    @property
    def of_the_paper(self) -> list[list[dict[str, str]]]:
        """The paper's tables, a row each, as text."""
        return [list(csv.DictReader(io.StringIO(text))) for text in self.paper.strip().split("\n\n") if text]


table: Registry[type[Table]] = Registry("table", "badood.benchmark.tables")
"""All tables and figures; `@table("name")` adds one."""
