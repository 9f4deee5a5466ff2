"""What a notebook uses: the examples of its docstrings, and plug-ins that a cell registers."""

import doctest

import pandas as pd
import pytest

import badood
from badood import interface
from badood.explore.finished import Finished


def test_examples_of_the_docstrings_are_true(small_run: Finished) -> None:
    result = doctest.testmod(interface, extraglobs={"run": badood.open(small_run.run.id)})
    assert result.attempted > 10
    assert result.failed == 0


def test_everything_that_is_offered_is_there() -> None:
    for name in badood.__all__:
        assert getattr(badood, name) is not None
    with pytest.raises(AttributeError, match=r"runn.*run"):
        badood.runn  # noqa: B018


def test_selections_by_type_source_verdict_and_mask_meet(small_run: Finished) -> None:
    run = badood.open(small_run.run.id)
    table = run.outliers
    first = table["outlier_id"].iloc[:10].tolist()
    run.judge(first, "reject")
    assert run.select(verdict="reject").ids.tolist() == sorted(first)
    of_type = table.loc[table["outlier_id"].isin(first), "ood_type"].iloc[0]
    both = run.select(verdict="reject", ood_type=of_type)
    assert set(both.ids) == set(table.loc[table["outlier_id"].isin(first) & (table["ood_type"] == of_type), "outlier_id"])
    assert len(run.select(table["id_confidence"] < 0.5, source=run.settings.outliers[0].name)) == (table["id_confidence"] < 0.5).sum()
    with pytest.raises(badood.BadInput, match="0 of 90"):
        run.select([])
    with pytest.raises(badood.BadInput, match="one for each row"):
        run.select(pd.Series([True, False]))


def test_a_selection_is_retrained_under_its_own_name(small_run: Finished) -> None:
    run = badood.open(small_run.run.id)
    kept = run.select(run.outliers["outlier_id"] % 2 == 0)
    row = run.retrain(kept, name="every second")
    assert row.kept == 45
    assert badood.open(run.id).table.query("filter == 'every second'")["kept"].item() == 45
    assert run.found.kept("every second").tolist() == kept.ids.tolist()
