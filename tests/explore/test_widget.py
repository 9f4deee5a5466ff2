"""The gallery of a notebook, as the browser's messages reach it."""

import os
import signal
import time
import uuid
from typing import Any

import pytest

import badood
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.explore.widget import Gallery
from badood.store import jobs, open_database

BROWSER = uuid.uuid4().hex


def say(gallery: Gallery, **content: Any) -> None:
    """What the browser says, as a kernel hands it on."""
    gallery._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def told(*acts: dict[str, Any], page: int | None = None, asked: dict[str, Any] | None = None, at: int = 1) -> dict[str, Any]:
    return {"browser": BROWSER, "acts": list(acts), "page": page, "asked": asked, "at": at}


def act(ids: list[int], verdict: str | None, run: str = "small") -> dict[str, Any]:
    return {"id": f"{BROWSER}:{uuid.uuid4().hex}", "run": run, "ids": ids, "verdict": verdict}


def shown(gallery: Gallery) -> list[int]:
    return [tile["id"] for tile in gallery.grid["near"][gallery.grid["page"]]]


def test_it_shows_what_the_band_keeps_and_their_images(small_run: Finished) -> None:
    run = badood.open("small")
    gallery = run.show((0.0, 1.0), descending=False)
    by_confidence = run.outliers.sort_values(["id_confidence", "outlier_id"])["outlier_id"].tolist()
    assert shown(gallery) == by_confidence[: len(shown(gallery))]
    assert gallery.told["kept"] == gallery.told["of"] == len(run.outliers)
    assert sum(group["count"] for name, group in gallery.histogram["groups"].items() if name == "outliers") == len(run.outliers)
    middle = run.outliers["id_confidence"].quantile([0.2, 0.6]).tolist()
    gallery.band = middle
    inside = run.band(*middle)
    assert gallery.told["kept"] == len(inside) == gallery.grid["count"]
    assert gallery.told["overlap"] == pytest.approx(inside.overlap)
    assert set(shown(gallery)) <= set(inside.ids.tolist())
    names = {tile["url"] for tiles in gallery.grid["near"].values() for tile in tiles}
    assert set(gallery.images) == names
    assert all(url.startswith("data:image/png;base64,") for url in gallery.images.values())


def test_verdicts_reach_the_database_once_and_can_be_taken_back(small_run: Finished) -> None:
    run = badood.open("small")
    run.judge([0], "keep")
    gallery = run.show((0.0, 1.0), who="ada")
    reject = act([3, 5], "reject")
    for at in (1, 2):  # a message that was not heard is told again
        say(gallery, told=told(reject, at=at))
    assert dict(run.verdicts[["outlier_id", "verdict"]].itertuples(index=False)) == {0: "keep", 3: "reject", 5: "reject"}
    assert set(run.verdicts.query("outlier_id > 0")["who"]) == {"ada"}
    assert (gallery.grid["heard"], gallery.grid["written"], gallery.grid["browser"]) == (2, [reject["id"]], BROWSER)
    for at in (3, 4):
        say(gallery, told=told(act([], None), at=at))
    assert run.verdicts["outlier_id"].tolist() == [0]  # another's stays


def test_pages_turn_and_one_outlier_is_shown_large_beside_its_anchor(small_run: Finished) -> None:
    gallery = badood.open("small").show((0.0, 1.0))
    first = shown(gallery)
    say(gallery, told=told(page=2))
    assert not set(first) & set(shown(gallery))
    say(gallery, told=told(asked={"what": "open", "id": first[0]}, at=2))
    assert gallery.grid["alone"]
    beside = {each["url"] for tiles in gallery.grid["near"].values() for tile in tiles for each in tile["beside"]}
    assert beside
    assert beside <= set(gallery.images)


def test_what_is_wrong_is_told_and_the_gallery_lives_on(small_run: Finished) -> None:
    run = badood.open("small")
    gallery = run.show((0.0, 1.0))
    wrong = act([999_999], "keep")
    say(gallery, told=told(wrong))
    assert "no outlier 999999" in gallery.told["ended"]
    assert gallery.grid["written"] == [wrong["id"]]  # or the browser would tell it for ever
    with pytest.raises(BadInput, match="no column"):
        run.show(sort="beauty")


@pytest.mark.slow
def test_a_retrain_runs_beside_the_notebook_and_its_row_appears(small_run: Finished) -> None:
    jobs.leave(open_database(), jobs.own_id())  # the worker that the fixture entered is none
    gallery = badood.open("small").show((0.0, 0.4))
    rows = len(gallery.told["rows"])
    say(gallery, do="retrain")
    with pytest.raises(BadInput, match="not over"):
        gallery.retrain()
    deadline = time.monotonic() + 240
    while len(gallery.told["rows"]) == rows and not gallery.told["ended"] and time.monotonic() < deadline:
        time.sleep(0.05)
    for worker in jobs.alive_workers(open_database()):
        os.kill(worker.pid, signal.SIGTERM)
    assert gallery.told["ended"] == ""
    assert len(gallery.told["rows"]) == rows + 1
    assert gallery.told["rows"][-1]["kept"] == gallery.told["kept"]
