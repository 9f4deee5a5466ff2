"""Runs that somebody passed on, and what a browser sends."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.server import ROUTES
from badood.config import load_config
from badood.core.artefacts import home, remove_folder
from badood.core.errors import BadInput
from badood.explore.export import EXPORTS
from badood.explore.queries import Filters, Outliers
from badood.pipeline.example import open_example
from badood.pipeline.remote import pull
from badood.pipeline.runs import check_name, delete_run, open_run, start_run
from badood.pipeline.stages.table import write_outliers
from badood.store import jobs, open_database, tags, verdicts, views
from tests.faults import inputs
from tests.faults.doors.door import Door, door, nothing
from tests.faults.doors.images import printable


@door("name of a run")
def name_of_run(outside: Path) -> Door:
    def read(folder: Path, name: str) -> None:
        from app.opened import opened

        for ask in (check_name, open_run, delete_run, opened):
            try:
                ask(name)
            except BadInput as error:
                said = error
            else:
                assert ask is check_name, f"{ask.__name__} took {name!r}"
        raise said

    return Door(inputs.names(outside), nothing, read)


@door("record of a run")
def record(outside: Path) -> Door:
    """`run.json` of a run that somebody passed on."""
    begun = json.dumps(start_run(load_config("miniworld"), "begun").record)
    sound = json.loads(begun) | {
        "results": {"train": "images/0", "sources": {"a": "outliers/0"}, "outliers": "table/0"},
        "metrics": {"mid": {"kept": 3, "filter": {"strategy": "all"}}},
    }

    def put(folder: Path, content: bytes) -> None:
        (folder / "theirs").mkdir()
        (folder / "theirs" / "run.json").write_bytes(content)

    def read(folder: Path, content: bytes) -> None:
        from app.opened import is_ready, is_scored
        from badood.explore.finished import finished

        run = open_run(folder / "theirs")
        found = finished(str(folder / "theirs"))
        assert isinstance([is_ready(run), is_scored(run), run.rows, found.counts, found.left_out, len(found.outliers)], list)

    changed = inputs.altered(sound, inputs.plain(outside)).map(lambda told: json.dumps(told).encode())
    return Door(st.one_of(changed, inputs.damaged([begun.encode()])), put, read)


@door("list of a run elsewhere")
def list_elsewhere(outside: Path) -> Door:
    """What `badood runs pull` reads at a place that others write to."""
    begun = json.dumps(start_run(load_config("miniworld"), "begun").record).encode()
    digest = hashlib.sha256(begun).hexdigest()[:32]
    sound = {"created": "2026-01-01", "files": {"run.json": [len(begun), digest]}}
    changed = inputs.altered(sound, inputs.plain(outside))
    led = inputs.names(outside).map(lambda name: sound | {"files": {"run.json": [len(begun), digest], name: [len(begun), digest]}})

    def put(folder: Path, content: bytes) -> None:
        (folder / "runs").mkdir()
        (folder / "runs" / "theirs.json").write_bytes(content)
        (folder / "objects" / digest[:2]).mkdir(parents=True)
        (folder / "objects" / digest[:2] / digest).write_bytes(begun)

    def read(folder: Path, content: bytes) -> None:
        try:
            pull(str(folder), "theirs")
        finally:
            assert not list(home().glob(".pull*"))
            if (home() / "theirs").exists():
                remove_folder(home() / "theirs")

    told = st.one_of(changed, led).map(lambda content: json.dumps(content).encode(errors="surrogatepass"))
    return Door(st.one_of(told, inputs.damaged([json.dumps(sound).encode()])), put, read)


@door("address of an image")
def address(outside: Path) -> Door:
    client = TestClient(Starlette(routes=ROUTES))
    part = inputs.names(outside).map(printable)

    def read(folder: Path, given: tuple[str, str, str, str, str]) -> None:
        from urllib.parse import quote

        run, key, name, until, sign = given
        reply = client.get(f"/images/{quote(run, safe='')}/{quote(key, safe='')}/{quote(name, safe='')}", params={"u": until, "s": sign})
        assert reply.status_code in (403, 404), f"it was answered {reply.status_code}"

    return Door(
        st.tuples(part, part, st.one_of(part, st.sampled_from(["outlier-0", "id--1", "grid-1", "outlier-" + "9" * 500])), part, part),
        nothing,
        read,
    )


@door("words")
def words(outside: Path) -> Door:
    """Notes, tags, names of views and of people, as a browser sends them."""
    word = inputs.names(outside)

    def read(folder: Path, given: tuple[str, str, str, list[int], Any]) -> None:
        run, word, who, ids, shown = given
        database = open_database()
        verdicts.give(database, run, ids, "keep", who=who, note=word)
        tags.put(database, run, ids, word, who=who)
        views.save(database, run, word, {"shown": shown}, who=who)
        told = tags.with_verdicts(database, run)
        assert set(told["outlier_id"]) >= set(ids)
        views.selection(database, run, word)

    return Door(
        st.tuples(
            word, word, word, st.lists(st.one_of(st.integers(0, 99), st.integers(-(2**70), 2**70)), max_size=3), inputs.plain(outside)
        ),
        nothing,
        read,
    )


@door("texts of a table", share=5)
def texts_of_table(outside: Path) -> Door:
    """A table of outliers with texts of any kind, asked for columns of any name, and exported."""

    def put(folder: Path, given: tuple[list[str], str]) -> None:
        texts, _ = given
        table = pa.table({"outlier_id": pa.array([0, 1, 2]), "source": pa.array(texts), "anchor_class": pa.array(texts)})
        write_outliers(folder / "outliers.parquet", table, np.zeros((3, 3, 8, 8), np.uint8))

    def read(folder: Path, given: tuple[list[str], str]) -> None:
        texts, asked = given
        found = Outliers(folder / "outliers.parquet")
        for kind, export in EXPORTS.items():
            export(found, folder / kind, None, None)
        assert len(list((folder / "folder").rglob("*.png"))) == len(found)
        for column in (*found.known, asked):
            found.mix(column)
            found.page(Filters(source=tuple(texts[:1])), sort=column, group=column)
            found.values(column)

    text = inputs.names(outside).map(printable)
    return Door(st.tuples(st.lists(text, min_size=3, max_size=3), text), put, read)


@door("address of a page", share=1)
def page(outside: Path) -> Door:
    """What a link to the grid may say, over the run that ships with the library."""
    from streamlit.testing.v1 import AppTest

    open_example()
    jobs.register_worker(open_database())  # pages start none
    known = ["run", "lo", "hi", "unit", "outlier", "page", "like", "selection", "confidence", "type", "verdict", "source", "class", "clip", "tag", "scale", "minority", "harm", "sort", "order", "size"]  # fmt: skip
    asked = st.dictionaries(
        st.one_of(st.sampled_from(known), inputs.names(outside)),
        st.one_of(inputs.names(outside), st.sampled_from(["0", "1e999", "-0.0,nan", "[0,1]", "9" * 12])),
        max_size=4,
    )

    def put(folder: Path, given: tuple[str, dict[str, str]]) -> None:
        (folder / "page.py").write_text(f"import app.views.{given[0]} as view\nview.page()")

    def read(folder: Path, given: tuple[str, dict[str, str]]) -> None:
        test = AppTest.from_file(folder / "page.py", default_timeout=60)
        test.query_params.update({"run": "example"} | given[1])
        test.run()
        assert not test.exception, test.exception[0].message

    return Door(st.tuples(st.sampled_from(["outliers", "calibration", "runs"]), asked), put, read)
