"""What a finished run answers: scores of any images, metrics against any OOD images."""

from pathlib import Path

import numpy as np
import pytest

from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.pipeline.ask import evaluate, score
from badood.pipeline.filter_rows import chosen
from badood.pipeline.opened import chosen_row, judge_of, recorded
from tests.conftest import SMALL_RUN
from tests.pipeline.tiny import contents, photos


def test_a_trained_run_scores_and_judges_any_images(small_run: Finished, tmp_path: Path) -> None:
    odd = photos(tmp_path / "odd", ["crown", "ladder"], 6)
    known = photos(tmp_path / "known", ["candle", "jeep"], 6)
    (odd / "crown" / "broken.png").write_bytes(b"no image")
    before = contents(small_run.run.folder)
    scores = {path.name: score(SMALL_RUN, path) for path in (odd, known)}
    assert {name: len(asked.table) for name, asked in scores.items()} == {"odd": 12, "known": 12}
    assert [Path(entry["path"]).name for entry in scores["odd"].skipped] == ["broken.png"]
    judged = evaluate(SMALL_RUN, [odd], every=True)
    assert judged.ood == {f"{tmp_path.name}/odd": 12}
    assert set(judged.rows) == set(small_run.run.record["metrics"])
    assert ["12 images" in told for told in judged.notices] == [True]
    assert "2 of its 2 classes in common" in evaluate(SMALL_RUN, [known]).notices[1]
    assert contents(small_run.run.folder) == before, "a question writes nothing into the run"


def test_scores_are_those_of_the_detector_that_is_named(small_run: Finished, tmp_path: Path) -> None:
    images = photos(tmp_path / "images", ["candle", "crown"], 4)
    tables = {name: score(SMALL_RUN, images, name) for name in small_run.run.rows}
    assert {asked.filter for asked in tables.values()} == set(small_run.run.rows)
    assert all("as asked" in asked.told for asked in tables.values())
    energies = [asked.table["energy"].to_numpy() for asked in tables.values()]
    assert not np.array_equal(energies[0], energies[1])
    own = score(SMALL_RUN, images)
    assert own.filter == chosen(small_run.run.rows).name  # type: ignore[union-attr]
    assert own.filter in own.told
    assert "validation" in own.told
    assert (own.table["anomaly"] == 1 - own.table["id_confidence"]).all()
    assert set(own.table["predicted"]) <= set(recorded(small_run.run).sets.train.classes)


def test_the_row_that_validation_data_choose_is_not_the_one_that_test_figures_would(small_run: Finished) -> None:
    def set_figures(record: dict) -> None:
        for place, row in enumerate(record["metrics"].values()):
            row["validation"]["auroc"], row["fpr95"], row["auroc"] = 0.5 + 0.1 * place, 0.1 * place, 0.9 - 0.1 * place

    small_run.run.change(set_figures)
    assert chosen_row(small_run.run).name == list(small_run.run.rows)[-1]


def test_the_runs_own_test_sets_come_out_as_in_its_table(small_run: Finished) -> None:
    row = chosen_row(small_run.run)
    sets = recorded(small_run.run).sets
    judge = judge_of(small_run.run, row, scorers=True)
    own = small_run.scores(row.name).query("set == 'id'").drop(columns="set").reset_index(drop=True)
    again = judge.scores(sets.test)
    np.testing.assert_allclose(again[own.columns].to_numpy(float), own.to_numpy(float), rtol=1e-6, atol=1e-9)


def test_a_name_that_is_no_row_is_answered_with_those_that_are(small_run: Finished, tmp_path: Path) -> None:
    odd = photos(tmp_path / "odd", ["crown"], 2)
    for ask in (lambda: score(SMALL_RUN, odd, "hihg"), lambda: evaluate(SMALL_RUN, [odd], "hihg")):
        with pytest.raises(BadInput, match=r"no filter 'hihg'.* all, q-mid, mid"):
            ask()


def test_a_run_that_is_not_finished_judges_nothing(small_run: Finished, tmp_path: Path) -> None:
    odd = photos(tmp_path / "odd", ["crown"], 2)
    small_run.run.note(state="interrupted")
    for ask in (lambda: score(SMALL_RUN, odd), lambda: evaluate(SMALL_RUN, [odd])):
        with pytest.raises(BadInput, match="state: interrupted"):
            ask()


def test_the_same_folder_twice_is_an_error_and_two_of_one_name_are_told_apart(small_run: Finished, tmp_path: Path) -> None:
    places = [photos(tmp_path / name / "places" / "images", ["crown"], 2) for name in ("first", "second")]
    asked = evaluate(SMALL_RUN, places)
    assert list(asked.ood) == ["first/places/images", "second/places/images"]
    assert set(asked.rows[chosen_row(small_run.run).name].per_set) == set(asked.ood)
    with pytest.raises(BadInput, match="given twice"):
        evaluate(SMALL_RUN, [places[0], places[0]])
