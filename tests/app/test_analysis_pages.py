"""The analysis pages on a small real run: what they show is what the run holds, and controls do what they say."""

import json
from concurrent.futures import Future
from itertools import chain
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.asking import asked
from app.mapping import placed
from app.opened import opened
from app.state import Band
from badood.core.errors import BadInput
from badood.evaluate.ood_types import TYPES
from badood.evaluate.shift import shift_summary
from badood.explore.embedding_map import inside
from badood.explore.finished import Finished
from badood.explore.queries import Filters
from badood.store import jobs, open_database, verdicts

VIEWS = ("band", "calibration", "ood_types", "heatmaps", "embedding_map", "compare", "learn")


def shown(view: str, **state: Any) -> AppTest:
    """The page after a first look."""
    test = AppTest.from_string(f"import app.views.{view} as view\nview.page()", default_timeout=60)
    test.query_params["zoom"] = "false"  # whatever the small run's confidences are
    for key, value in state.items():
        test.session_state[key] = value
    return test.run()


def metrics(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


def texts(test: AppTest) -> str:
    return " ".join(str(entry.value) for kind in ("markdown", "caption", "info", "error", "warning", "html") for entry in test.get(kind))


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_shows_a_run(small_run: Finished, view: str) -> None:
    test = shown(view)
    assert not test.exception
    assert test.title[0].value


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_says_what_to_do_without_a_run(view: str) -> None:
    test = shown(view)
    assert not test.exception
    assert "There is no finished run yet" in test.info[0].value


def test_counts_follow_the_band(small_run: Finished) -> None:
    test = shown("band")
    for lo, hi in ((0.0, 1.0), (0.0, 0.2)):
        test.slider[0].set_value((lo, hi)).run()
        assert metrics(test)["Kept"] == f"{small_run.outliers.count(Filters(id_confidence=(lo, hi))):,}"
        assert metrics(test)["Overlap with ID"] == f"{100 * small_run.overlap(Filters(id_confidence=(lo, hi))):.0f} %"
    assert test.query_params["hi"] == "0.2"


def test_a_link_reproduces_the_band(small_run: Finished) -> None:
    test = AppTest.from_string("import app.views.band as view\nview.page()", default_timeout=60)
    test.query_params.update({"run": small_run.run.id, "lo": "0.02", "hi": "0.6"})
    test.run()
    assert test.slider[0].value == (0.02, 0.6)


def test_an_empty_band_says_so_and_cannot_be_retrained(small_run: Finished) -> None:
    test = shown("band")
    test.slider[0].set_value((1.0, 1.0)).run()
    assert "keeps nothing" in test.error[0].value
    assert next(button for button in test.button if button.label == "Retrain on this band").disabled


def test_another_unit_keeps_the_same_outliers(small_run: Finished) -> None:
    test = shown("band")
    test.slider[0].set_value((0.0, 0.4)).run()
    before = int(metrics(test)["Kept"].replace(",", ""))
    test.segmented_control(key="unit").set_value("quantile").run()
    assert test.query_params["unit"] == "quantile"
    assert abs(int(metrics(test)["Kept"].replace(",", "")) - before) <= max(3, 0.1 * before)


def test_a_high_overlap_is_warned_about(small_run: Finished) -> None:
    test = shown("band")
    sure = small_run.outliers.values("id_confidence")
    assert (sure >= small_run.id_quantile).any(), "the small run needs outliers that pass for ID"
    test.slider[0].set_value((round(small_run.id_quantile, 3), 1.0)).run()
    assert any("pass for ID" in warning.value for warning in test.warning)


def test_the_preview_is_of_this_band_and_says_that_it_is_one(small_run: Finished) -> None:
    test = shown("band")
    test.slider[0].set_value((0.0, 1.0)).run()
    given = {"strategy": "band", "lo": 0.0, "hi": 1.0}
    answer = asked("preview", "", run=small_run.run.id, filter=given).result(120)
    test.run()
    assert metrics(test)["FPR95"] == f"{100 * answer['fpr95']:.1f} %"
    assert "not a full retrain" in texts(test)


def test_retrain_hands_in_a_job_for_this_band(small_run: Finished) -> None:
    test = shown("band")
    test.slider[0].set_value((0.0, 0.3)).run()
    next(button for button in test.button if button.label == "Retrain on this band").click().run()
    assert not test.exception
    (job,) = jobs.listed(open_database(), kinds=["retrain"])
    assert job.arguments == {"run": small_run.run.id, "filter": {"strategy": "band", "lo": 0.0, "hi": 0.3}}
    next(button for button in test.button if button.label == "Cancel").click().run()
    assert jobs.get(open_database(), job.id).state == "cancelled"


def test_finished_filters_stand_in_the_table_with_differences(small_run: Finished) -> None:
    table = shown("band").dataframe[0].value
    assert table["filter"].tolist() == small_run.filters()["filter"].tolist()
    expected = 100 * (small_run.filters()["fpr95"] - small_run.filters()["fpr95"].iloc[0])
    np.testing.assert_allclose(table["Δ FPR95"], expected)


def test_every_calibrator_has_its_error(small_run: Finished) -> None:
    seen = metrics(shown("calibration"))
    assert len(seen) >= 2
    assert any(name.startswith("raw") for name in seen)
    assert all(value.endswith(" %") for value in seen.values())


def test_tau_decides_the_types(small_run: Finished) -> None:
    test = shown("ood_types")
    slider = test.slider(key="tau")
    slider.set_value(0.0).run()
    table = test.dataframe[0].value.set_index("ood_type")
    assert table.loc["OOD-III", "before"] == 0
    assert table["before"].sum() == len(small_run.outliers)
    test.slider(key="tau").set_value(1.0).run()
    sure = int((small_run.outliers.values("clip_prob") >= 1.0).sum())
    assert test.dataframe[0].value.set_index("ood_type").loc["OOD-III", "before"] == len(small_run.outliers) - sure


def test_types_begin_at_the_runs_own_tau_and_are_the_stored_ones(small_run: Finished) -> None:
    stored = small_run.outliers.values("ood_type")
    assert (small_run.types_at(small_run.tau) == stored).all()
    page = shown("ood_types")
    assert page.slider(key="tau").value == small_run.tau
    table = page.dataframe[0].value.set_index("ood_type")
    assert table["before"].to_dict() == {name: (stored == name).sum() for name in TYPES}


def test_heatmaps_offer_every_tested_detector(small_run: Finished) -> None:
    test = shown("heatmaps")
    assert test.multiselect(key="heatmap detectors").options == small_run.filters()["filter"].tolist()
    test.multiselect(key="heatmap detectors").set_value(["all", "q-mid"]).run()
    assert len(test.get("plotly_chart")) == 2


def panels(test: AppTest) -> list[str]:
    """The methods whose heatmaps are shown."""
    return [title["text"] for title in json.loads(test.get("plotly_chart")[0].proto.spec)["layout"]["annotations"]]


def test_heatmaps_rank_every_scorer_there_is(small_run: Finished) -> None:
    groups = asked("scorers", "test").result(120)
    test = shown("heatmaps")
    assert set(test.dataframe[0].value["method"]) == {"bad-ood", "msp", "energy"}
    assert "Scorers to come" in texts(test)
    for group in groups:
        names = [name for name in group if name not in small_run.run.cfg.evaluate.scorers]
        asked("shift", f"test {names}", run=small_run.run.id, detector="all", names=names).result(120)
    test.run()
    table = test.dataframe[0].value
    assert sorted(table["method"]) == sorted({"bad-ood", *chain(*groups)})
    assert "Scorers to come" not in texts(test)
    rising = np.sign(table["semantic corr."].fillna(0)) * table["semantic slope"]
    assert rising.is_monotonic_decreasing
    assert not test.exception


def test_a_heatmap_is_of_the_method_that_is_chosen(small_run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Future[Any]] = {"scorers": Future(), "shift": Future()}
    answers["scorers"].set_result([["knn"]])
    monkeypatch.setattr("app.views.heatmaps.asked", lambda question, visitor, **arguments: answers[question])
    own = small_run.shift("all")
    test = shown("heatmaps")
    assert panels(test) == ["bad-ood"]
    choice = test.selectbox(key="heatmap method all")
    assert choice.options == shift_summary(own)["method"].tolist()
    choice.set_value("msp").run()
    assert panels(test) == ["msp"]
    best = own.query("method == 'msp'").assign(method="knn", auroc=lambda cells: cells["semantic"] / 7)
    answers["shift"].set_result({"rows": best.to_dict("records"), "failed": {}})
    test.run()
    assert test.dataframe[0].value["method"].iloc[0] == "knn"
    assert panels(test) == ["msp"], "it stays when a further scorer comes before it"


def test_scorers_that_cannot_score_are_named_and_the_others_are_ranked(small_run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(question: str, visitor: str, **arguments: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        if question == "scorers":
            answer.set_result([["knn", "vim"], ["odin"]])
        elif arguments["names"] == ["odin"]:
            answer.set_exception(BadInput("no images are left"))
        else:
            rows = small_run.shift("all").query("method == 'msp'").assign(method="knn").to_dict("records")
            answer.set_result({"rows": rows, "failed": {"vim": "dim leaves nothing"}})
        return answer

    monkeypatch.setattr("app.views.heatmaps.asked", answered)
    test = shown("heatmaps")
    assert set(test.dataframe[0].value["method"]) == {"bad-ood", "msp", "energy", "knn"}
    assert "vim: dim leaves nothing" in texts(test)
    assert "odin: no images are left" in texts(test)


def test_a_lasso_selects_what_lies_inside(small_run: Finished) -> None:
    placed(opened(small_run.run.id), "pca").result(60)
    points = placed(opened(small_run.run.id), "pca").result()
    x, y = [-1e3, 1e3, 1e3, -1e3], [-1e3, -1e3, float(points["y"].median()), float(points["y"].median())]
    selection = {"points": [], "point_indices": [], "box": [], "lasso": [{"x": x, "y": y}]}
    test = shown("embedding_map", **{f"map {small_run.run.id} pca id_confidence": {"selection": selection}})
    assert not test.exception
    assert test.subheader[0].value.startswith(f"{len(inside(points, x, y)):,} outliers")


def test_outliers_in_two_loops_are_counted_once(small_run: Finished) -> None:
    placed(opened(small_run.run.id), "pca").result(60)
    points = placed(opened(small_run.run.id), "pca").result()
    wide, low = 1e3, float(points["y"].median())
    lasso = {"x": [-wide, wide, wide, -wide], "y": [-wide, -wide, low, low]}
    everything = {"x": [-wide, wide], "y": [-wide, wide]}
    selection = {"points": [], "point_indices": [], "box": [everything, everything], "lasso": [lasso]}
    test = shown("embedding_map", **{f"map {small_run.run.id} pca id_confidence": {"selection": selection}})
    assert test.subheader[0].value == f"{(points['kind'] == 'outlier').sum():,} outliers inside the loops"


def test_compare_takes_differences_from_the_first(small_run: Finished) -> None:
    test = shown("compare")
    table = test.dataframe[0].value
    names = small_run.filters()["filter"].tolist()
    assert small_run.chosen is not None
    shown_first = dict.fromkeys([names[0], small_run.chosen.name, names[-1]])
    assert table["detector"].tolist() == [f"small: {name}" for name in shown_first]
    assert table["Δ AUROC"].iloc[0] == 0
    only = set(small_run.kept("all")) - set(small_run.kept(names[-1]))
    assert f"Kept by “all” only: {len(only):,}" in texts(test)
    test.multiselect(key="compare entries").set_value(["small: all"]).run()
    assert "at least two" in test.info[0].value


def test_learn_paints_the_four_steps(small_run: Finished) -> None:
    test = shown("learn")
    asked("walk", "", run=small_run.run.id, row=0, start=300, scale=0.05).result(120)
    test.run()
    assert not test.exception
    assert texts(test).count("data:image/png;base64") == 4


def test_learn_moves_the_one_band(small_run: Finished) -> None:
    test = shown("learn")
    slider = test.slider(key="learn band")
    middle = round((slider.min + slider.max) / 2, 3)
    slider.set_value((slider.min, middle)).run()
    assert float(test.query_params["hi"]) == pytest.approx(middle, abs=0.001)


def test_a_band_can_leave_out_harmful_outliers(small_run: Finished) -> None:
    test = shown("band")
    test.slider[0].set_value((0.0, 1.0)).run()
    harm, scale = small_run.outliers.values("harm"), small_run.harm_scale
    assert metrics(test)["Kept"] == f"{len(harm):,}"
    assert "rank correlation" in texts(test)
    most = round(0.0, scale.digits)
    test.slider(key="most harm").set_value(most).run()
    assert metrics(test)["Kept"] == f"{(harm <= most).sum():,}"
    assert metrics(test)["Mean harm"] == f"{harm[harm <= most].mean():+.2g}"


def test_a_band_can_leave_out_what_was_rejected_or_take_only_what_was_kept(small_run: Finished) -> None:
    assert not [each for each in shown("band").button_group if each.key == "judged"]
    ids = small_run.outliers.ids(Filters()).tolist()
    verdicts.give(open_database(), "small", ids[:30], "reject", who="local")
    verdicts.give(open_database(), "small", ids[30:50], "keep", who="local")
    for judged, fields, kept in (("without the rejected", {"without": ids[:30]}, len(ids) - 30), ("kept only", {"ids": ids[30:50]}, 20)):
        test = shown("band", band=Band(0.0, 1.0), judged=judged)
        assert metrics(test)["Kept"] == f"{kept:,}"
        next(button for button in test.button if button.label == "Retrain on this band").click().run()
        job = jobs.listed(open_database(), kinds=["retrain"])[0]
        assert fields.items() <= job.arguments["filter"].items()
