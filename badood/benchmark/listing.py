"""What there is to benchmark, and what of it works here: `badood benchmark --list`."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from badood.benchmark.seeds import lean
from badood.benchmark.table import Table, table
from badood.benchmark.variants import EMBEDDED, every_source
from badood.benchmark.wanted import Wanted
from badood.calibrate import calibrator
from badood.config import Config, Outliers
from badood.core.errors import BadInput
from badood.core.registry import Registry
from badood.data.published import states
from badood.data.splits import missing as missing_files
from badood.detect.backbones.base import backbone
from badood.detect.scorers import scorer
from badood.outliers import outlier_source
from badood.pipeline.models import missing
from badood.pipeline.preflight import base_of, preflight
from badood.synthesise import synthesiser


@dataclass(frozen=True)
class Entry:
    """Something that a benchmark can use.

    Attributes:
        kind: "table or figure", "scorer", "outlier source", "synthesiser", "backbone family", "calibrator" or "OOD set".
        name: as settings and commands have it. what: it is, in a sentence. needs: files or settings that are missing; empty = it works here.
    """

    kind: str
    name: str
    what: str
    needs: str

    @property
    def state(self) -> str:
        """For people."""
        return f"needs files: {self.needs}" if self.needs else "works here"

    @property
    def told(self) -> dict[str, str]:
        """Its fields and its state, as plain data."""
        return asdict(self) | {"state": self.state}


def listed(wanted: Wanted) -> list[Entry]:
    """Everything, by kind and name. Nothing is loaded or measured.

    Raises:
        BadConfig: the settings do not fit.
    """
    return list(_entries(lean(wanted.config()), wanted))


def _entries(cfg: Config, wanted: Wanted) -> Iterator[Entry]:
    lacks = _problem(lambda: preflight(cfg))
    for name in table:
        made: Table = table.make(name)
        yield Entry("table or figure", name, f"{made.title} ({made.source})", lacks or made.needs(cfg, wanted))
    registries: dict[str, Registry[Any]] = {"scorer": scorer, "calibrator": calibrator, "backbone family": backbone}
    for kind, registry in registries.items():
        yield from (Entry(kind, name, _what(registry[name]), "") for name in registry)
    for name, entry in every_source(cfg).items():
        made_by = synthesiser[name] if name in synthesiser else outlier_source[entry.source]
        kind = "synthesiser" if entry.source == EMBEDDED else "outlier source"
        yield Entry(kind, name, _what(made_by), _lacking(cfg, entry))
    for source in cfg.data.ood:
        yield Entry("OOD set", source.name, f"of the preset {cfg.preset}: {source.dataset}", missing_files(source, base_of(cfg)))
    root = Path(wanted.root) if wanted.root else base_of(cfg) or Path.cwd()
    for state in states(root):
        yield Entry("OOD set", state.name, state.what, state.needs)


def _lacking(cfg: Config, entry: Outliers) -> str:
    """What a source of outliers cannot do without and has not got."""

    def begin() -> None:
        source = outlier_source[entry.source].of(cfg, entry)
        source.check()
        if lacking := missing(cfg, tuple(sorted(source.needs))):
            raise BadInput(f"weights of {'; '.join(lacking.values())}")

    return _problem(begin)


def _problem(begin: Callable[[], None]) -> str:
    try:
        begin()
    except BadInput as error:
        return str(error)
    return ""


def _what(entry: Any) -> str:
    """The first paragraph of its docstring, without its source."""
    return " ".join((inspect.getdoc(entry) or "").split("\n\n")[0].split()).split(" Source:")[0]
