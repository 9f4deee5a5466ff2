"""Runs and outliers on a small real run, without a browser."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.uploads import kept_upload
from badood.config import Config, Settings, load_config
from badood.core.artefacts import home
from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.explore.queries import Filters
from badood.jobs import queue
from badood.store import jobs, open_database, verdicts


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
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process counts as a worker, so that pages start none; jobs wait."""
    jobs.register_worker(open_database())


def test_runs_shows_state_and_metrics(small_run: Finished) -> None:
    test = shown("runs")
    assert not test.exception
    assert "small" in texts(test)
    assert "done" in texts(test)
    best = small_run.filters()["fpr95"].min()
    values = {metric.label.partition(",")[0]: metric.value for metric in test.metric}
    assert values == {"Outliers": f"{len(small_run.outliers):,}", "FPR95": f"{100 * best:.1f} %", "AUROC": values["AUROC"]}


def test_runs_says_what_is_wrong_with_a_finished_one(small_run: Finished) -> None:
    small_run.run.note(skipped=[{"set": "photos", "path": "jeep/broken.png", "reason": "no image"}])
    test = shown("runs")
    assert small_run.run.record["advice"] in [entry.value for entry in test.warning]
    assert [entry.label for entry in test.expander if "left out" in entry.label] == ["Images that could not be read and were left out: 1"]


def test_the_form_hands_in_a_run_with_its_settings(worker: None) -> None:
    test = shown("runs")
    assert "There is no run yet" in texts(test)
    test.text_input(key="run name").set_value("mine").run()
    test.number_input(key="miniworld count").set_value(42).run()
    test.number_input(key="miniworld detector.beta").set_value(1.5).run()
    test.button(key="start run").click().run()
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
    test.button(key="start run").click().run()
    assert not test.exception
    (job,) = jobs.listed(open_database(), kinds=["run"])
    assert job.arguments["config"] == load_config("miniworld").model_dump(mode="json")


def test_a_setting_written_as_yaml_reaches_the_run(worker: None) -> None:
    test = shown("runs")
    field = test.text_area(key="miniworld data.ood")
    sets = yaml.safe_load(field.value)
    field.set_value(yaml.safe_dump(sets[:1], default_flow_style=True)).run()
    test.button(key="start run").click().run()
    (job,) = jobs.listed(open_database(), kinds=["run"])
    assert [entry["name"] for entry in job.arguments["config"]["data"]["ood"]] == [sets[0]["name"]]


def test_own_images_replace_both_splits(worker: None, tmp_path: Path) -> None:
    test = shown("runs")
    test.selectbox(key="data source").set_value("A folder on this machine").run()
    assert test.button(key="start run").disabled
    test.text_input(key="data folder").set_value(str(tmp_path)).run()
    test.button(key="start run").click().run()
    data = jobs.listed(open_database())[0].arguments["config"]["data"]
    assert [(data[split]["dataset"], data[split]["path"]) for split in ("train", "test")] == [("folder", str(tmp_path))] * 2


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
    test.button(key="detail unsure").click().run()
    assert verdicts.current(open_database(), "small")["verdict"].tolist() == ["unsure"]


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
