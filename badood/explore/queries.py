"""Pages, counts and histograms of a run's outliers: SQL on `outliers.parquet`, 130,000 rows within tens of milliseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from badood.core.errors import BadInput
from badood.core.rows import Rows
from badood.data.images import png

Interval = tuple[float, float]


class Filters(BaseModel):
    """Which outliers a page shows; an empty field lets everything through. Intervals include both ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id_confidence: Interval | None = None
    minority_score: Interval | None = None
    nearest_cosine: Interval | None = None
    harm: Interval | None = None
    source: tuple[str, ...] = ()
    anchor_class: tuple[str, ...] = ()
    ood_type: tuple[str, ...] = ()
    clip_label: tuple[str, ...] = ()
    synthesiser: tuple[str, ...] = ()
    guidance_scale: tuple[float, ...] = ()
    outlier_id: tuple[int, ...] | None = None
    """Only these; an empty tuple lets nothing through. For verdicts and lassos."""
    without: tuple[int, ...] = ()
    """outlier_id of those that are left out."""


_INTERVALS = ("id_confidence", "minority_score", "nearest_cosine", "harm")
"""Fields of `Filters` that are intervals."""

_VALUE = {"VARCHAR": "{0} <> ''", "ENUM": "{0}::VARCHAR <> ''", "FLOAT": "isfinite({0})", "DOUBLE": "isfinite({0})"}
"""By type of a column, when an entry that is not null says something."""

_WORDS = 1000
"""A column of at most so many different texts is held as an enumeration: smaller, and counted three times as fast."""


@dataclass(frozen=True)
class Outliers:
    """The outliers of a run; the file never changes, so everything but the images is read into memory once.

    Attributes:
        path: an `outliers.parquet`. Of a run that has not come so far a name only, and what it has lies in `plain` and `pixels`.
        plain: M rows of what is known. pixels: (M, 3, H, W) uint8, row-aligned.
    """

    path: Path
    plain: pa.Table | None = None
    pixels: Rows | None = None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns but the image.

        Raises:
            BadInput: there is no such file, or it is not a parquet file of outliers.
        """
        if self.plain is not None:
            return tuple(self.plain.column_names)
        try:
            names = parquet.read_schema(self.path).names
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.path} is not a readable outliers.parquet ({error}); run the pipeline again.") from error
        missing = {"outlier_id", "source", "image"} - set(names)
        if missing:
            raise BadInput(f"{self.path} lacks the columns {', '.join(sorted(missing))}; give the outliers.parquet of a finished run.")
        return tuple(name for name in names if name != "image")

    @property
    def key(self) -> str:
        """Equal for equal outliers: a name for addresses of their images."""
        return self.path.parent.name if self.plain is None else self.path.name

    @cached_property
    def known(self) -> frozenset[str]:
        """Columns in which any outlier has a value: a source without anchors, scales or scores leaves theirs empty."""
        kinds = dict(
            self._database.cursor().execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'outliers'").fetchall()
        )
        tests = [
            "anchor_row >= 0" if name == "anchor_row" else _VALUE.get(kinds[name].partition("(")[0], "true").format(_quote(name))
            for name in self.columns
        ]
        counts = ", ".join(f"count({_quote(name)}) FILTER (WHERE {test})" for name, test in zip(self.columns, tests, strict=True))
        found = self._database.cursor().execute(f"SELECT {counts} FROM outliers").fetchone() or ()
        return frozenset(name for name, count in zip(self.columns, found, strict=True) if count)

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        if self.plain is not None:
            plain = self.plain.append_column("row", pa.array(np.arange(len(self.plain), dtype=np.int64)))
            connection.register("early", plain)
            connection.execute("CREATE TABLE outliers AS SELECT * FROM early")
            return connection
        worded = _worded(connection, self.columns, str(self.path))
        selected = ", ".join(_held(connection, name, str(self.path)) if name in worded else _quote(name) for name in self.columns)
        connection.execute(
            f"CREATE TABLE outliers AS SELECT {selected}, file_row_number AS row FROM read_parquet(?, file_row_number = true)",
            [str(self.path)],
        )
        return connection

    @cached_property
    def _footer(self) -> parquet.FileMetaData:
        return parquet.read_metadata(self.path)

    @cached_property
    def _total(self) -> int:
        return self.count()

    def __len__(self) -> int:
        return self._total

    def page(
        self,
        filters: Filters = Filters(),
        *,
        sort: str = "id_confidence",
        descending: bool = False,
        ranks: Mapping[int, int] | None = None,
        group: str | None = None,
        offset: int = 0,
        limit: int = 60,
    ) -> pd.DataFrame:
        """`limit` rows from `offset` on, all columns but the image; ties are in order of outlier_id.

        Args:
            sort: column to sort by. ranks: by outlier_id what to sort by first, for what the file does not know, such as verdicts;
                outliers without a rank come last whichever way round. group: column whose equal values stand together, ascending.

        Raises:
            BadInput: no column is called `sort`, or `group`.
        """
        where, values = _where(filters)
        way = "DESC" if descending else "ASC"
        order = f"{self._quoted(sort)} {way} NULLS LAST, outlier_id"
        source = "outliers"
        if ranks is not None:
            source += " LEFT JOIN (SELECT unnest(?::BIGINT[]) AS ranked, unnest(?::BIGINT[]) AS rank) ON outlier_id = ranked"
            values = [list(ranks), list(ranks.values()), *values]
            order = f"rank {way} NULLS LAST, {order}"
        if group is not None:
            order = f"{self._quoted(group)} ASC NULLS LAST, {order}"
        # only what it is sorted by is sorted: all columns of a million rows would take three times as long
        rows = self._frame(f"SELECT row FROM {source} {where} ORDER BY {order} LIMIT ? OFFSET ?", [*values, limit, offset])["row"]
        query = "SELECT * FROM outliers WHERE row IN (SELECT unnest(?::BIGINT[]))"
        return self._frame(query, [rows.tolist()]).set_index("row").loc[rows].reset_index(drop=True)

    def spread(self, filters: Filters = Filters(), *, count: int) -> pd.DataFrame:
        """At most `count` of those that pass, evenly spread from the lowest id_confidence to the highest; all columns but the image."""
        where, values = _where(filters)
        query = f"""
            SELECT * EXCLUDE (row, place, total) FROM
                (SELECT *, row_number() OVER (ORDER BY id_confidence, outlier_id) - 1 AS place, count(*) OVER () AS total FROM outliers {where})
            WHERE place * ? // total > (place - 1) * ? // total OR place = 0 ORDER BY place"""
        return self._frame(query, [*values, count, count])

    def table(self, filters: Filters = Filters(), columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows that pass, in the file's order (that of the embeddings).

        Args:
            columns: which; none = all but the image, a gigabyte for a million rows.
        """
        where, values = _where(filters)
        selected = "* EXCLUDE row" if columns is None else ", ".join(map(self._quoted, columns))
        return self._frame(f"SELECT {selected} FROM outliers {where} ORDER BY row", values)

    def at(self, rows: NDArray[np.int64]) -> pd.DataFrame:
        """Rows by their ascending places in the file (and so in the embeddings), all columns but the image."""
        query = "SELECT * EXCLUDE row FROM outliers WHERE row IN (SELECT unnest(?::BIGINT[])) ORDER BY row"
        return self._frame(query, [rows.tolist()])

    def count(self, filters: Filters = Filters()) -> int:
        """How many pass."""
        where, values = _where(filters)
        found = self._database.cursor().execute(f"SELECT count(*) FROM outliers {where}", values).fetchone()
        return int(found[0]) if found else 0

    def ids(self, filters: Filters = Filters()) -> NDArray[np.int64]:
        """(M,) outlier_id of those that pass, ascending."""
        where, values = _where(filters)
        return self._frame(f"SELECT outlier_id FROM outliers {where} ORDER BY outlier_id", values)["outlier_id"].to_numpy(np.int64)

    def values(self, column: str, filters: Filters = Filters()) -> NDArray[Any]:
        """(M,) one column of those that pass, in the file's order."""
        where, values = _where(filters)
        return self._frame(f"SELECT {self._quoted(column)} AS value FROM outliers {where} ORDER BY row", values)["value"].to_numpy()

    def matrix(self, rows: str, columns: str, filters: Filters = Filters()) -> pd.DataFrame:
        """How many of each pair of values of two columns pass: a frame of counts, both axes in the order of their values; rows without a value are left out."""
        where, values = _where(filters)
        one, other = self._quoted(rows), self._quoted(columns)
        query = f"""SELECT {one} AS a, {other} AS b, count(*) AS count FROM (SELECT * FROM outliers {where})
            WHERE a IS NOT NULL AND b IS NOT NULL GROUP BY 1, 2"""
        counts = self._frame(query, values)
        table = counts.pivot(index="a", columns="b", values="count").fillna(0).astype(np.int64)
        return table.rename_axis(index=rows, columns=columns)

    def mix(self, by: str, filters: Filters = Filters()) -> pd.DataFrame:
        """How many of each value of the column `by` pass: columns `by`, count and share, most frequent first."""
        where, values = _where(filters)
        query = f"SELECT {self._quoted(by)}, count(*) AS count FROM outliers {where} GROUP BY 1 ORDER BY 2 DESC, 1"
        table = self._frame(query, values)
        table["share"] = table["count"] / max(1, table["count"].sum())
        return table

    def kept_mix(self, by: str, filters: Filters) -> pd.DataFrame:
        """How many of each value of the column `by` pass: columns `by`, kept and total, in the order of the values."""
        where, values = _where(filters)
        name, passes = self._quoted(by), where.removeprefix("WHERE ") or "true"
        query = f"""
            SELECT value AS {name}, count(*) FILTER (WHERE passes) AS kept, count(*) AS total
            FROM (SELECT {name} AS value, ({passes}) AS passes FROM outliers) GROUP BY 1 ORDER BY 1"""
        return self._frame(query, values)

    def histogram(
        self, column: str = "id_confidence", filters: Filters = Filters(), *, bins: int = 50, span: Interval = (0.0, 1.0)
    ) -> pd.DataFrame:
        """Counts in `bins` equal bins of `span`: columns left, right, count. The last bin includes its right end; values outside are left out."""
        where, values = _where(filters)
        lo, hi = span
        edges = np.linspace(lo, hi, bins + 1)
        query = f"""
            SELECT least(floor(({self._quoted(column)} - ?) / ? * ?), ? - 1)::INTEGER AS bin, count(*) AS count
            FROM (SELECT * FROM outliers {where}) WHERE {self._quoted(column)} BETWEEN ? AND ? GROUP BY 1"""
        found = self._frame(query, [lo, hi - lo, bins, bins, *values, lo, hi])
        counts = np.zeros(bins, dtype=np.int64)
        counts[found["bin"].to_numpy(np.int64)] = found["count"]
        return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "count": counts})

    def edges(self, lo: float, hi: float, each: int = 4, *, source: tuple[str, ...] = ()) -> pd.DataFrame:
        """The outliers nearest to both edges of a band, on both sides of each.

        Args:
            source: of these sources only; none = of all.

        Returns:
            Up to 4 x `each` rows by rising confidence: outlier_id, id_confidence, ood_type, edge ("lo" or "hi"), kept (inside the band).
        """
        sides: list[tuple[str, str, float, str]] = [
            ("lo", "<", lo, "DESC"),
            ("lo", ">=", lo, "ASC"),
            ("hi", "<=", hi, "DESC"),
            ("hi", ">", hi, "ASC"),
        ]
        only = " AND source IN (SELECT unnest(?))" if source else ""
        parts, values = [], []
        for edge, comparison, value, order in sides:
            parts.append(f"""(SELECT outlier_id, id_confidence, ood_type, '{edge}' AS edge, id_confidence BETWEEN ? AND ? AS kept
                FROM outliers WHERE id_confidence {comparison} ?{only} ORDER BY id_confidence {order}, outlier_id LIMIT ?)""")
            values += [lo, hi, value, *([list(source)] if source else []), each]
        query = f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY edge DESC, id_confidence, outlier_id"
        return self._frame(query, values)

    def row(self, outlier_id: int) -> dict[str, Any]:
        """All columns but the image of one outlier.

        Raises:
            BadInput: the run has no such outlier.
        """
        table = self.page(Filters(outlier_id=(outlier_id,)), sort="outlier_id", limit=1)
        if table.empty:
            raise BadInput(f"{self.path} has no outlier {outlier_id}; its ids go up to {len(self) - 1:,}.")
        return {str(name): value for name, value in table.iloc[0].to_dict().items()}

    def place(self, outlier_id: int) -> int:
        """Its row in the file, and so in the embeddings.

        Raises:
            BadInput: the run has no such outlier.
        """
        found = self._frame("SELECT row FROM outliers WHERE outlier_id = ?", [outlier_id])
        if found.empty:
            raise BadInput(f"{self.path} has no outlier {outlier_id}; its ids go up to {len(self) - 1:,}.")
        return int(found["row"][0])

    def siblings(self, outlier_id: int) -> pd.DataFrame:
        """All outliers of the same anchor, by guidance scale; itself alone where it has none. All columns but the image."""
        anchor = self.row(outlier_id).get("anchor_id")
        if not said(anchor):
            return self.page(Filters(outlier_id=(outlier_id,)), sort="outlier_id")
        scale = "guidance_scale, " if "guidance_scale" in self.columns else ""
        return self._frame(f"SELECT * EXCLUDE row FROM outliers WHERE anchor_id = ? ORDER BY {scale}outlier_id", [anchor])

    def images(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Encoded image bytes by outlier_id; only the row groups that hold them are read.

        Raises:
            BadInput: the run lacks one of them.
        """
        rows = self._frame("SELECT outlier_id, row FROM outliers WHERE outlier_id IN (SELECT unnest(?::BIGINT[]))", [[int(i) for i in ids]])
        lacking = sorted(set(map(int, ids)) - set(rows["outlier_id"].astype(int)))
        if lacking:
            raise BadInput(f"{self.path} lacks the outliers {lacking[:10]}; choose among those of its outlier_id column.")
        if self.pixels is not None:
            pixels = self.pixels.array(rows["row"].to_numpy(np.int64))
            made = {int(number): png(image) for number, image in zip(rows["outlier_id"], pixels, strict=True)}
            return {int(outlier_id): made[int(outlier_id)] for outlier_id in ids}
        file = parquet.ParquetFile(self.path, metadata=self._footer)
        ends = np.cumsum([self._footer.row_group(group).num_rows for group in range(file.num_row_groups)])
        found: dict[int, bytes] = {}
        for group, part in rows.groupby(np.searchsorted(ends, rows["row"].to_numpy(), side="right")):
            column = file.read_row_group(int(str(group)), columns=["image"]).column("image")
            first = ends[int(str(group))] - len(column)
            for outlier_id, row in zip(part["outlier_id"], part["row"], strict=True):
                found[int(outlier_id)] = column[int(row - first)].as_py()["bytes"]
        return {int(outlier_id): found[int(outlier_id)] for outlier_id in ids}

    def _frame(self, query: str, values: Sequence[Any]) -> pd.DataFrame:
        # a cursor a query: one DuckDB connection must not serve two threads at a time
        table = self._database.cursor().execute(query, list(values)).df()
        enumerations = table.select_dtypes("category").columns
        return table.astype(dict.fromkeys(enumerations, "str")) if len(enumerations) else table

    def _known(self, column: str) -> str:
        if column not in self.columns:
            raise BadInput(f"outliers have no column {column!r}; they have {', '.join(self.columns)}.")
        return column

    def _quoted(self, column: str) -> str:
        return _quote(self._known(column))


def said(value: Any) -> bool:
    """Whether a cell of the table says something: columns may be absent, null, not a number, or empty."""
    return value is not None and bool(pd.notna(value)) and value != ""


def origin(row: Any) -> str:
    """Where an outlier comes from in a few words, as far as it is known: its anchor's class and guidance scale, else what its source calls it.

    Args:
        row: of `Outliers.page` or `table`, as a named tuple or a series.
    """
    named = next((str(value) for name in ("anchor_class", "class_name") if said(value := getattr(row, name, None))), "")
    scale, file = getattr(row, "guidance_scale", None), getattr(row, "file", None)
    parts = [named or (PurePosixPath(str(file)).name if said(file) else ""), f"{scale:g}" if said(scale) else ""]
    return " · ".join(part for part in parts if part) or str(getattr(row, "source", ""))


def _worded(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], path: str) -> frozenset[str]:
    """The columns of texts that repeat, in one look at the file."""
    selected = ", ".join(map(_quote, columns))
    kinds = connection.execute(f"DESCRIBE SELECT {selected} FROM read_parquet(?)", [path]).fetchall()
    texts = [str(kind[0]) for kind in kinds if kind[1] == "VARCHAR"]
    if not texts:
        return frozenset()
    counts = ", ".join(f"approx_count_distinct({_quote(name)})" for name in texts)
    found = connection.execute(f"SELECT {counts} FROM read_parquet(?)", [path]).fetchone() or ()
    return frozenset(name for name, count in zip(texts, found, strict=True) if 0 < count <= _WORDS)


def _held(connection: duckdb.DuckDBPyConnection, name: str, path: str) -> str:
    """A column of texts that repeat as the table holds it: as an enumeration, whose type is made here."""
    column = _quote(name)
    texts = connection.execute(f"SELECT DISTINCT {column} FROM read_parquet(?) WHERE {column} IS NOT NULL", [path]).fetchall()
    listed = ", ".join("'" + word.replace("'", "''") + "'" for word in sorted(word for (word,) in texts))
    kind = _quote(f"{name} texts")
    connection.execute(f"CREATE TYPE {kind} AS ENUM ({listed})")
    return f"{column}::{kind} AS {column}"


def _quote(name: str) -> str:
    """A column of an imported table may be called anything."""
    return '"' + name.replace('"', '""') + '"'


def _where(filters: Filters) -> tuple[str, list[Any]]:
    """A WHERE clause with its values; names come from the fields, values are bound."""
    clauses: list[str] = []
    values: list[Any] = []
    for name, value in filters:
        if value is None or (value == () and name != "outlier_id"):
            continue
        if name in _INTERVALS:
            clauses.append(f"{name} BETWEEN ? AND ?")
            values += value
        elif name == "without":
            clauses.append("outlier_id NOT IN (SELECT unnest(?))")
            values.append(list(value))
        else:
            clauses.append(f"{name} IN (SELECT unnest(?))")
            values.append(list(value))
    return ("WHERE " + " AND ".join(clauses) if clauses else ""), values
