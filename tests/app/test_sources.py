"""Runs with outliers of several sources, of imported ones only, and of a run that has no detector yet: no page shows a gap."""

import json
import re
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app.mapping import placed
from app.opened import opened
from app.server import ROUTES, grid_url, id_url, outlier_url
from badood.config import Filter
from badood.explore.figures.style import source_colours
from badood.explore.finished import Finished, finished
from badood.explore.queries import Filters
from badood.pipeline.filter_rows import filter_name
from badood.store import jobs, open_database
from tests.app.conftest import SOURCES, cut_off

VIEWS = ("runs", "outliers", "band", "calibration", "ood_types", "heatmaps", "embedding_map", "compare", "learn")


def shown(view: str, **query: Any) -> AppTest:
    """The page after a first look."""
    test = AppTest.from_string(f"import app.views.{view} as view\nview.page()", default_timeout=60)
    test.query_params.update({name: str(value) for name, value in query.items()})
    return test.run()


def texts(test: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "error", "warning", "html")
    return " ".join(str(entry.proto.body if kind == "html" else entry.value) for kind in kinds for entry in test.get(kind))


def tiles(test: AppTest) -> list[dict[str, Any]]:
    """The grid's tiles on the page that is looked at."""
    (data,) = [json.loads(entry.proto.json) for entry in test.get("bidi_component") if "near" in entry.proto.json]
    return [tile for page in data["near"].values() for tile in page]


def figure(test: AppTest, place: int = 0) -> dict[str, Any]:
    return dict(json.loads(test.get("plotly_chart")[place].proto.spec))


def without_gaps(test: AppTest) -> None:
    assert not test.exception
    gaps = re.findall(r".{0,30}(?<![\w>])(?:nan|None|<NA>)\b(?! chosen).{0,20}", texts(test))
    assert not gaps
    for table in test.dataframe:
        assert not re.search(r"\b(nan|None)\b", table.value.select_dtypes(exclude="number").to_string())


@pytest.mark.parametrize("run", ["both", "theirs"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_page_shows_a_gap(several_runs: Finished, run: str, view: str) -> None:
    without_gaps(shown(view, run=run))


@pytest.mark.parametrize(("run", "outlier"), [("both", 0), ("both", 100), ("theirs", 5)])
@pytest.mark.parametrize("early", [False, True])
def test_details_show_what_is_known(several_runs: Finished, run: str, outlier: int, early: bool) -> None:
    if early:
        cut_off(run)
    test = shown("outliers", run=run, outlier=outlier)
    without_gaps(test)
    text = texts(test)
    described, imported = run == "both", outlier > 0
    assert ("Nearest training images**" in text) == described
    assert ("had no encoder" in text) != described
    assert ("anchor: " in text) != imported
    assert ("96 x 80 px" in text) == imported
    assert ("No detector has looked at it yet" in text) == early
    scores = [name for table in test.dataframe for name in table.value.get("score", [])]
    assert any("nearest training image" in name for name in scores) == described
    assert ("CLIP, the best ID class" in scores) == (imported and not early)


def test_the_grid_is_filtered_sorted_and_coloured_by_source(several_runs: Finished) -> None:
    test = shown("outliers", run="both")
    assert "source" in test.selectbox(key="sort").options
    test.pills(key="source").set_value([SOURCES[1]]).run()
    assert f"**24** of {len(several_runs.outliers)} outliers" in texts(test)
    assert {tile["kind"].rpartition(", ")[2] for tile in tiles(test)} == {SOURCES[1]}
    assert {tile["caption"] for tile in tiles(test)} == {"cat", "dog"}
    test.pills(key="source").set_value([]).run()
    test.segmented_control(key="border").set_value("source").run()
    colours = source_colours(SOURCES)
    assert all(tile["colour"] == colours[tile["kind"].rpartition(", ")[2]] for tile in tiles(test))
    test.selectbox(key="sort").set_value("nearest_cosine").run()
    assert not test.exception


def test_outliers_that_look_like_copies_can_be_found(several_runs: Finished) -> None:
    test = shown("outliers", run="both", sort="nearest_cosine", order="descending")
    slider = test.slider(key="likeness")
    middle = round(float(np.median(several_runs.outliers.values("nearest_cosine"))), 3)
    slider.set_value((middle, slider.max)).run()
    count = several_runs.outliers.count(Filters(nearest_cosine=(middle, slider.max)))
    assert 0 < count < len(several_runs.outliers)
    assert f"**{count:,}** of" in texts(test)


def test_a_run_of_one_source_has_no_choice_of_sources_and_none_of_what_is_not_known(several_runs: Finished) -> None:
    test = shown("outliers", run="theirs")
    assert not [pills for pills in test.pills if pills.key == "source"]
    keys = {str(widget.key) for kind in ("slider", "multiselect", "toggle") for widget in test.get(kind)}
    assert not keys & {"minority", "likeness", "class", "scale", "anchors"}


def test_a_choice_of_sources_of_another_run_is_dropped(several_runs: Finished) -> None:
    test = shown("outliers", run="both")
    test.pills(key="source").set_value([SOURCES[1]]).run()
    test.selectbox(key="sort").set_value("nearest_cosine").run()
    test.session_state["run"] = "theirs"
    test.run()
    assert not test.exception
    assert "**24** of 24 outliers" in texts(test)


def test_the_band_page_counts_draws_and_retrains_by_source(several_runs: Finished) -> None:
    test = shown("band", run="both", zoom="false")
    assert "Kept of each source" in texts(test)
    assert {f"{name} ({count})" for name, count in zip(SOURCES, (90, 24), strict=True)} <= {trace["name"] for trace in figure(test)["data"]}
    test.slider[0].set_value((0.0, 0.9)).run()
    test.pills(key="source").set_value([SOURCES[1]]).run()
    kept = several_runs.outliers.count(Filters(id_confidence=(0.0, 0.9), source=(SOURCES[1],)))
    assert {metric.label: metric.value for metric in test.metric}["Kept"] == str(kept)
    assert f"{SOURCES[0]} (90)" not in {trace["name"] for trace in figure(test)["data"]}
    test.toggle(key="by source").set_value(False).run()
    assert "outliers (24)" in {trace["name"] for trace in figure(test)["data"]}
    next(button for button in test.button if button.label == "Retrain on this band").click().run()
    (job,) = jobs.listed(open_database(), kinds=["retrain"])
    assert job.arguments["filter"] == {"strategy": "band", "lo": 0.0, "hi": 0.9, "sources": [SOURCES[1]]}
    assert filter_name(Filter(**job.arguments["filter"])).endswith("of theirs")
    assert any("of theirs" in (entry.proto.text or "") for entry in test.get("progress"))


def test_types_are_told_by_source(several_runs: Finished) -> None:
    test = shown("ood_types", run="both")
    table = next(entry.value for entry in test.dataframe if "source" in entry.value)
    assert table.set_index("source")["outliers"].to_dict() == dict(zip(SOURCES, (90, 24), strict=True))
    test.pills(key="source").set_value([SOURCES[1]]).run()
    assert test.dataframe[0].value["before"].sum() == 24


def test_the_map_is_coloured_and_filtered_by_source(several_runs: Finished) -> None:
    placed(opened("both"), "pca").result(60)
    test = shown("embedding_map", run="both")
    test.selectbox(key="map colour").set_value("source").run()
    names = [trace["name"] for trace in figure(test)["data"]]
    assert names[1:] == [f"{SOURCES[0]} (90)", f"{SOURCES[1]} (24)"]
    for colour in ("anchor_class", "minority_score", "nearest_cosine", "ood_type"):
        test.selectbox(key="map colour").set_value(colour).run()
        assert not test.exception
        assert ("unknown (24)" in [trace["name"] for trace in figure(test)["data"]]) == (colour == "anchor_class")
    test.selectbox(key="map colour").set_value("source").run()
    before = {trace["name"]: trace["marker"]["color"] for trace in figure(test)["data"]}
    test.pills(key="source").set_value([SOURCES[1]]).run()
    after = {trace["name"]: trace["marker"]["color"] for trace in figure(test)["data"]}
    assert list(after)[1:] == [f"{SOURCES[1]} (24)"]
    assert after.items() <= before.items(), "a source keeps its colour"


def test_without_an_encoder_map_and_lesson_say_what_is_missing(several_runs: Finished) -> None:
    told = texts(shown("embedding_map", run="theirs"))
    assert "has no map" in told
    assert "encoder.safetensors" in told
    told = texts(shown("learn", run="theirs"))
    assert "were imported, not made" in told
    assert "cannot be shown" not in texts(shown("learn", run="both"))


@pytest.mark.parametrize("run", ["both", "theirs"])
@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_outliers_can_be_looked_at_before_there_is_a_detector(several_runs: Finished, run: str, state: str) -> None:
    cut_off(run, state)
    test = shown("outliers", run=run)
    without_gaps(test)
    assert test.selectbox(key="sort").value == "outlier_id"
    assert [tile["id"] for tile in tiles(test)][:5] == [0, 1, 2, 3, 4]
    assert {tile["mark"] for tile in tiles(test)} == {""}
    assert "No detector has looked at these outliers yet" in texts(test)
    for view in VIEWS[2:]:
        page = shown(view, run=run)
        without_gaps(page)
        assert view == "embedding_map" or "no detector has looked at them yet" in texts(page)
    cards = shown("runs")
    assert not cards.exception
    assert f"open {run}" in [button.key for button in cards.button]
    # a newer run without a detector is not what a page begins with
    assert shown("band").query_params["run"] in ([{"both": "theirs", "theirs": "both"}[run]], {"both": "theirs", "theirs": "both"}[run])


def test_pages_go_on_with_the_run_when_its_detector_has_looked(several_runs: Finished) -> None:
    whole = (several_runs.run.folder / "run.json").read_text()
    cut_off("both", "running")
    assert not opened("both").scored
    (several_runs.run.folder / "run.json").write_text(whole)
    assert opened("both").scored


def test_images_of_every_kind_are_served_and_only_to_who_has_their_address(several_runs: Finished) -> None:
    client = TestClient(Starlette(routes=ROUTES))
    for early in (False, True):
        if early:
            cut_off("both")
        found = opened("both")
        addresses = [outlier_url(found, 100), id_url(found, 3), grid_url(found, 0, 0, 0)]
        for address in addresses:
            answer = client.get(address)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert client.get(outlier_url(found, 9999)).status_code == 404
    for signature in ("", "%C3%BC", "%ED%A0%80", "0" * 20, "a" * 4000):
        assert client.get(f"/images/r/k/outlier-0?s={signature}").status_code == 403


def test_cards_count_what_was_left_out_of_every_source(several_runs: Finished) -> None:
    test = shown("runs")
    assert finished("theirs").left_out[["set", "count"]].values.tolist() == [["theirs", 1]]
    assert sum("left out: 1" in entry.label for entry in test.expander) == 2
