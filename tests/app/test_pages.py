"""Runs and outliers on a small real run, without a browser."""

import dataclasses
import hashlib
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
import yaml
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import asking
from app.uploads import kept_upload
from badood.config import Config, Settings, load_config
from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.explore.queries import Filters
from badood.jobs import queue
from badood.jobs.answers import ANSWERS
from badood.store import jobs, open_database, tags, verdicts, views
from tests.detect.foreign import ResNet20, seasoned


def shown(view: str, **query: Any) -> AppTest:
    """The page after a first look."""
    test = AppTest.from_string(f"import app.views.{view} as view\nview.page()", default_timeout=60)
    test.query_params.update({name: str(value) for name, value in query.items()})
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(str(entry.value) for kind in ("markdown", "caption", "info", "error", "warning") for entry in test.get(kind))


def labels(test: AppTest) -> list[str]:
    return [button.label for button in test.button]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process counts as a worker, so that pages start none; jobs wait. It answers for the companion, too."""

    class Here:
        def ask(self, question: str, **arguments: Any) -> Any:
            return ANSWERS[question](**arguments)

        def close(self) -> None:
            pass

    monkeypatch.setattr(asking, "companion", Here)
    jobs.register_worker(open_database())
    yield
    asking.close()


def start(test: AppTest) -> AppTest:
    """Press the button, and wait until the settings were looked through."""
    test.button(key="start run").click().run()
    until = time.monotonic() + 60
    while "Looking whether all is there" in texts(test):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)
        test.run()
    return test


def photos(folder: Path, count: int = 6) -> Path:
    """A folder of two classes of images."""
    for number in range(count):
        place = folder / ("cats", "dogs")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 10 * number, np.uint8)).save(place / f"{number}.png")
    return folder


def test_runs_shows_state_and_metrics(small_run: Finished) -> None:
    test = shown("runs")
    assert not test.exception
    assert "small" in texts(test)
    assert "done" in texts(test)
    best = small_run.chosen
    assert best is not None
    assert f"{best.name}: chosen on validation images" in texts(test)
    values = {metric.label.partition(",")[0]: metric.value for metric in test.metric}
    assert values == {"Outliers": f"{len(small_run.outliers):,}", "FPR95": f"{100 * best.fpr95:.1f} %", "AUROC": values["AUROC"]}


def test_the_filter_on_the_card_is_chosen_on_validation_images(small_run: Finished) -> None:
    names = [row.name for row in small_run.run.rows.values() if not row.empty and not row.uncalibrated]
    assert len(names) > 1
    for wanted in names:  # whichever is best on test images
        for row in small_run.run.rows.values():
            auroc = 0.9 if row.name == wanted else 0.5
            small_run.run.note_row(dataclasses.replace(row, validation=row.validation | {"auroc": auroc}))
        assert f"FPR95, {wanted}" in [metric.label for metric in shown("runs").metric]
        assert f"“small: {wanted}”" in texts(shown("compare"))
        assert f"“{wanted}” is the one chosen on validation images" in texts(shown("band"))


def test_runs_says_what_is_wrong_with_a_finished_one(small_run: Finished) -> None:
    broken = {"set": "photos", "path": "jeep/broken.png", "reason": "no image", "kind": "unreadable"}
    small_run.run.note(skipped=[broken | {"count": 1}, broken | {"count": 4}, broken | {"kind": "hidden", "count": 2}])
    test = shown("runs")
    assert small_run.run.record["advice"] in [entry.value for entry in test.warning]
    assert [entry.label for entry in test.expander if "left out" in entry.label] == ["Images and files that were left out: 7"]
    table = next(entry.value for entry in test.dataframe if "kind" in entry.value)
    assert table[["set", "kind", "count"]].values.tolist() == [["photos", "unreadable", 5], ["photos", "hidden", 2]]


def test_the_form_hands_in_a_run_with_its_settings(worker: None) -> None:
    test = shown("runs")
    assert "There is no run yet" in texts(test)
    test.text_input(key="run name").set_value("mine").run()
    test.number_input(key="miniworld count").set_value(42).run()
    test.number_input(key="miniworld detector.beta").set_value(1.5).run()
    start(test)
    assert not test.exception
    (job,) = jobs.listed(open_database(), kinds=["run"])
    config = job.arguments["config"]
    assert (job.run_id, config["synthesise"]["count"], config["detector"]["beta"]) == ("mine", 42, 1.5)
    assert "mine" in texts(test)


def test_a_setting_out_of_range_is_named(worker: None) -> None:
    test = shown("runs")
    test.text_input(key="miniworld detector.clip").set_value("-1").run()
    test.button(key="start run").click().run()
    assert "detector.clip" in test.error[0].value
    assert not jobs.listed(open_database())


def test_every_setting_has_a_field_with_the_configs_limits(worker: None) -> None:
    test = shown("runs")
    cfg = load_config("miniworld")
    settings = {name for name in Config.model_fields if not isinstance(getattr(cfg, name), Settings)} - {"preset"}
    for section in set(Config.model_fields) - settings - {"preset"}:
        settings |= {f"{section}.{name}" for name in type(getattr(cfg, section)).model_fields}
    elsewhere = {"synthesise.count", "synthesise.scales", "detector.epochs"}
    kinds = ("number_input", "text_input", "text_area", "selectbox", "checkbox")
    keys = {str(widget.key) for kind in kinds for widget in test.get(kind)}
    assert {f"miniworld {name}" for name in settings - elsewhere} <= keys
    for name, limits in {
        "detector.beta": (0, 1000),
        "filter.lo": (0, 1),
        "decode.steps": (1, None),
        "synthesise.score_renoise": (1, 999),
    }.items():
        field = test.number_input(key=f"miniworld {name}")
        assert (field.min, field.max) == limits, name


def test_what_is_left_alone_in_the_form_changes_nothing(worker: None) -> None:
    test = shown("runs")
    start(test)
    assert not test.exception
    (job,) = jobs.listed(open_database(), kinds=["run"])
    assert job.arguments["config"] == load_config("miniworld").model_dump(mode="json")


def test_a_setting_written_as_yaml_reaches_the_run(worker: None) -> None:
    test = shown("runs")
    field = test.text_area(key="miniworld data.ood")
    sets = yaml.safe_load(field.value)
    field.set_value(yaml.safe_dump(sets[:1], default_flow_style=True)).run()
    start(test)
    (job,) = jobs.listed(open_database(), kinds=["run"])
    assert [entry["name"] for entry in job.arguments["config"]["data"]["ood"]] == [sets[0]["name"]]


def test_own_images_replace_both_splits(worker: None, tmp_path: Path) -> None:
    test = shown("runs")
    test.selectbox(key="data source").set_value("A file or folder on this machine").run()
    assert test.button(key="start run").disabled
    test.text_input(key="data folder").set_value(str(tmp_path / "nowhere")).run()
    assert "does not exist" in test.error[0].value
    assert test.button(key="start run").disabled
    test.text_input(key="data folder").set_value(str(photos(tmp_path / "mine", 20))).run()
    assert not test.error
    start(test)
    data = jobs.listed(open_database())[0].arguments["config"]["data"]
    assert [(data[split]["dataset"], data[split]["path"]) for split in ("train", "test")] == [("folder", str(tmp_path / "mine"))] * 2


def test_own_images_may_be_parquet_files(worker: None, tmp_path: Path) -> None:
    row = {"bytes": png(), "path": None}
    for part in ("train", "test"):
        parquet.write_table(pa.table({"image": [row] * 20, "label": ["cat", "dog"] * 10}), tmp_path / f"{part}-00000-of-00001.parquet")
    test = shown("runs")
    test.selectbox(key="data source").set_value("A file or folder on this machine").run()
    test.text_input(key="data folder").set_value(str(tmp_path)).run()
    start(test)
    data = jobs.listed(open_database())[0].arguments["config"]["data"]
    assert [(data[split]["dataset"], data[split]["split"]) for split in ("train", "test")] == [("parquet", "train"), ("parquet", "test")]


def test_own_outliers_are_sources_beside_the_generator_or_in_its_place(worker: None, tmp_path: Path) -> None:
    first, second = photos(tmp_path / "a" / "dreams"), photos(tmp_path / "b" / "dreams")
    test = shown("runs")
    test.selectbox(key="outlier source").set_value("Files or folders on this machine").run()
    assert test.button(key="start run").disabled
    test.text_area(key="outlier paths").set_value(f"{first}\n\n{second}\n").run()
    test.text_input(key="run name").set_value("both").run()
    start(test)
    assert not test.exception
    test = shown("runs")
    test.selectbox(key="outlier source").set_value("Files or folders on this machine").run()
    test.text_area(key="outlier paths").set_value(str(first)).run()
    test.checkbox(key="only imported").check().run()
    assert test.number_input(key="miniworld count").disabled
    test.text_input(key="run name").set_value("only").run()
    start(test)
    sources = {job.run_id: job.arguments["config"]["outliers"] for job in jobs.listed(open_database(), kinds=["run"])}
    assert [(entry["name"], entry["source"]) for entry in sources["both"]] == [
        ("minority", "embedded"),
        ("dreams", "imported"),
        ("dreams-2", "imported"),
    ]
    assert [(entry["name"], entry["params"]["path"]) for entry in sources["only"]] == [("dreams", str(first))]


def test_own_outliers_may_be_uploaded(worker: None) -> None:
    arrays = io.BytesIO()
    np.savez(arrays, x=np.zeros((4, 8, 8, 3), np.uint8))
    files = [
        ("dreams.zip", archive({"cats/a.png": png()}).getvalue(), "application/zip"),
        ("../../samples 50.npz", arrays.getvalue(), "application/octet-stream"),
    ]
    test = shown("runs")
    test.selectbox(key="outlier source").set_value("Upload").run()
    test.file_uploader(key="outlier files").set_value(files).run()
    start(test)
    assert not test.exception
    (job,) = jobs.listed(open_database(), kinds=["run"])
    imported = {entry["name"]: Path(entry["params"]["path"]) for entry in job.arguments["config"]["outliers"][1:]}
    assert list(imported) == ["dreams", "samples 50"]
    assert all(path.exists() and path.is_relative_to(home() / "uploads") for path in imported.values())
    assert imported["samples 50"].suffix == ".npz"


def test_an_own_detector_is_tuned_or_taken_as_it_is(worker: None, tmp_path: Path) -> None:
    test = shown("runs")
    test.selectbox(key="detector mode").set_value("as-is").run()
    assert test.button(key="start run").disabled
    test.text_input(key="detector path").set_value("it's not there.pt").run()
    assert "does not exist" in test.error[0].value
    torch.save(seasoned(ResNet20(10)).state_dict(), tmp_path / "it's mine.pt")
    test.text_input(key="detector path").set_value(str(tmp_path / "it's mine.pt")).run()
    assert test.number_input(key="miniworld epochs").disabled
    start(test)
    assert not test.exception
    assert not test.error, test.error[0].value
    detector = jobs.listed(open_database(), kinds=["run"])[0].arguments["config"]["detector"]
    assert (detector["mode"], detector["weights"], detector["backbone"]) == ("as-is", str(tmp_path / "it's mine.pt"), "auto")


def test_what_is_missing_is_told_beside_the_button_and_nothing_is_handed_in(worker: None, tmp_path: Path) -> None:
    test = shown("runs")
    test.text_input(key="miniworld weights").set_value(str(tmp_path)).run()
    start(test)
    assert any("weights are missing" in entry.value for entry in test.error)
    assert not jobs.listed(open_database())
    # what was missing may be there now: it is looked for again at once
    test.text_input(key="miniworld weights").set_value("assets/weights/miniworld").run()
    start(test)
    assert len(jobs.listed(open_database())) == 1


def test_names_are_looked_at_before_a_run_is_handed_in(small_run: Finished) -> None:
    test = shown("runs")
    test.text_input(key="run name").set_value("../mine").run()
    assert "must be at most 100 letters" in test.error[0].value
    assert test.button(key="start run").disabled
    test.text_input(key="run name").set_value("small").run()
    test.button(key="start run").click().run()
    assert "is finished and has other settings" in test.error[0].value
    assert not jobs.listed(open_database())


def test_an_interrupted_run_says_what_happened_and_resumes(small_run: Finished) -> None:
    database = open_database()
    job = jobs.create(database, "run", {"config": small_run.run.cfg.model_dump(mode="json"), "name": "small"}, "small")
    jobs.start(database, job.id, "elsewhere:1")
    assert jobs.interrupt_orphans(database) == [job.id]
    small_run.run.note(state="running")
    test = shown("runs")
    assert "the worker died or the machine went down" in texts(test)
    test.button(key=f"resume {job.id}").click().run()
    assert jobs.get(database, job.id).state == "queued"
    queue.cancel(job.id)


def test_a_run_is_deleted_only_after_a_question(small_run: Finished) -> None:
    test = shown("runs")
    test.button(key="delete small").click().run()
    assert small_run.run.folder.exists()
    test.button(key="delete run").click().run()
    assert not small_run.run.folder.exists()


@pytest.mark.parametrize("name", ["gone", "a" * 400, "../small", "\x00", "/etc", ".", "ü*`"])
@pytest.mark.parametrize("view", ["outliers", "band", "compare", "learn"])
def test_a_link_to_a_run_that_is_not_there_says_so_and_offers_others(small_run: Finished, view: str, name: str) -> None:
    test = shown(view, run=name)
    assert not test.exception
    assert "is not there any more" in texts(test)
    assert "no finished run" not in texts(test)
    test.selectbox(key="run instead").select("small").run()
    assert not test.warning or "not there" not in test.warning[0].value
    assert test.query_params["run"] == "small"


def test_numbers_in_a_link_that_nothing_has_are_no_fault(small_run: Finished) -> None:
    for number in ("9" * 5000, "9" * 19, "99999", "\u0663", "-1", "x"):
        test = shown("outliers", outlier=number, page=number)
        assert not test.exception
    assert "has no outlier 99999" in texts(shown("outliers", outlier=99999))


def test_outliers_without_a_run_says_what_to_do() -> None:
    assert "There is no finished run yet" in texts(shown("outliers"))


def test_filters_narrow_the_grid(small_run: Finished) -> None:
    test = shown("outliers")
    assert not test.exception
    slider = test.slider(key="confidence")
    lower = (slider.min, float(np.median(small_run.outliers.values("id_confidence"))))
    # a class that lies on both sides, whatever the confidences of the small run are
    table = small_run.outliers.page(limit=len(small_run.outliers))
    sides = table["id_confidence"].le(lower[1]).groupby(table["anchor_class"]).mean()
    one = str(sides.index[sides.between(0, 1, inclusive="neither")][0])
    slider.set_value(lower).run()
    test.multiselect(key="class").set_value([one]).run()
    count = small_run.outliers.count(Filters(id_confidence=lower, anchor_class=(one,)))
    assert 0 < count < (table["anchor_class"] == one).sum()
    assert f"**{count:,}** of {len(small_run.outliers):,} outliers" in texts(test)


def test_all_that_a_filter_leaves_are_judged_and_undone(small_run: Finished) -> None:
    test = shown("outliers")
    one = small_run.classes[0]
    test.multiselect(key="class").set_value([one]).run()
    test.button(key="all reject").click().run()
    ids = small_run.outliers.ids(Filters(anchor_class=(one,)))
    table = verdicts.current(open_database(), "small")
    assert table["outlier_id"].tolist() == ids.tolist()
    assert set(table["verdict"]) == {"reject"}
    test.button(key="undo").click().run()
    assert verdicts.current(open_database(), "small").empty


def test_reviewers_are_told_apart_and_their_agreement_is_shown(small_run: Finished) -> None:
    one = small_run.classes[0]
    of_one = small_run.outliers.ids(Filters(anchor_class=(one,)))
    verdicts.give(open_database(), "small", of_one[:3], "keep", who="ada")
    test = shown("outliers")  # by AppTest's login
    assert "No two people" not in texts(test)  # nothing is compared while the popover is closed
    test.session_state["reviewers"] = True
    assert "No two people" in texts(test.run())
    test.multiselect(key="class").set_value([one]).run()
    test.button(key="all reject").click().run()
    test.session_state["reviewers"] = True
    test.run()
    (pair,) = test.dataframe[0].value.to_dict("records")
    assert (pair["one"], pair["other"], pair["both"], pair["same"]) == ("ada", "test@example.com", 3, 0)
    assert verdicts.of_each(open_database(), "small")["who"].value_counts().to_dict() == {"ada": 3, "test@example.com": len(of_one)}


def test_a_lasso_and_verdicts_meet(small_run: Finished) -> None:
    verdicts.give(open_database(), "small", [0, 1, 2], "keep", who="local")
    test = AppTest.from_string("import app.views.outliers as view\nview.page()", default_timeout=60)
    test.session_state["selected_ids"] = (2, 3, 4)
    test.run()
    assert "**3** of" in texts(test)
    test.pills(key="verdict").set_value(["keep"]).run()
    assert "**1** of" in texts(test)


def test_the_detail_view_opens_from_a_link(small_run: Finished) -> None:
    test = shown("outliers", outlier=5)
    assert not test.exception
    assert "Nearest training images" in texts(test)
    test.text_input(key="note 5").set_value("no object in it")
    test.button(key="detail unsure").click().run()
    test.multiselect(key="tags 5").set_value(["fog"]).run()
    told = tags.with_verdicts(open_database(), "small").iloc[0]
    assert (told["outlier_id"], told["verdict"], told["note"], told["tags"]) == (5, "unsure", "no object in it", "fog")
    test.text_input(key="note 5").set_value("blurred").run()
    assert verdicts.current(open_database(), "small")["note"].tolist() == ["blurred"]
    test.multiselect(key="tags 5").set_value([]).run()
    assert tags.current(open_database(), "small").empty


def test_the_grid_shows_what_is_most_alike(small_run: Finished) -> None:
    test = shown("outliers", like=7)
    assert not test.exception
    alike = small_run.alike(7)
    assert alike["outlier_id"].iloc[0] == 7
    assert f"**{len(alike)}** of" in texts(test)
    assert test.button(key="unlike").label == "Like outlier 7, by cosine"
    test.button(key="unlike").click().run()
    assert "like" not in test.query_params
    beyond = shown("outliers", like=10**9)
    assert f"**{len(small_run.outliers)}** of" in texts(beyond)


def test_a_link_names_a_selection(small_run: Finished) -> None:
    key = views.keep_selection(open_database(), "small", [4, 2, 9, 2])
    test = shown("outliers", run="small", selection=key)
    assert "**3** of" in texts(test)
    assert test.query_params["selection"] == key
    gone = shown("outliers", run="small", selection="0123")
    assert "no selection '0123'" in texts(gone)
    assert f"**{len(small_run.outliers)}** of" in texts(gone)


def test_tags_and_views_are_kept(small_run: Finished) -> None:
    test = shown("outliers", run="small")
    kept = small_run.outliers.ids(Filters(anchor_class=("jeep",)))
    test.multiselect(key="class").set_value(["jeep"]).run()
    test.text_input(key="tag all").set_value("a car").run()
    test.button(key="put tag").click().run()
    assert tags.current(open_database(), "small")["outlier_id"].tolist() == kept.tolist()
    test.text_input(key="view name").set_value("cars").run()
    test.button(key="keep view").click().run()
    assert views.saved(open_database(), "small")["cars"].items() >= {"class": ["jeep"], "order": "descending", "like": None}.items()
    test.multiselect(key="class").set_value([]).run()
    test.multiselect(key="tag").set_value(["a car"]).run()
    assert f"**{len(kept)}** of" in texts(test)
    test.multiselect(key="tag").set_value([]).run()
    test.button(key="view cars").click().run()
    assert not test.exception
    assert test.multiselect(key="class").value == ["jeep"]
    assert f"**{len(kept)}** of" in texts(test)
    test.button(key="drop view cars").click().run()
    assert views.saved(open_database(), "small") == {}


def archive(entries: dict[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
    file.seek(0)
    return file


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_upload_is_read_through_once_however_often_the_page_is_drawn(worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    digest, read = hashlib.file_digest, []

    def counted(*arguments: Any) -> Any:
        read.append(arguments)
        return digest(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    test = shown("runs")
    test.selectbox(key="data source").set_value("Upload a zip").run()
    test.file_uploader(key="data archive").set_value(("photos.zip", archive({"cats/a.png": png()}).getvalue(), "application/zip")).run()
    test.run()
    assert not test.exception
    assert not test.button(key="start run").disabled
    assert len(read) == 1


def test_an_upload_keeps_images_only() -> None:
    folder = kept_upload(archive({"cats/a.png": png(), "cats/run.sh": b"rm", "__MACOSX/cats/a.png": b""}))
    assert [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()] == ["cats/a.png"]


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a\\..\\out.png"])
def test_an_upload_cannot_leave_its_folder(name: str) -> None:
    with pytest.raises(BadInput, match="leads outside"):
        kept_upload(archive({name: png()}))
    assert not list(home().rglob("*.png"))


def test_an_upload_that_is_no_archive_says_so() -> None:
    with pytest.raises(BadInput, match="zip file"):
        kept_upload(io.BytesIO(b"hello"))
