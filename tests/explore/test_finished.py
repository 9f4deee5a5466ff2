"""A finished run says what it found, and names what is not there."""

import numpy as np
import pandas as pd
import pytest

from badood.core.errors import BadInput
from badood.explore import notebook
from badood.explore.finished import Finished, finished
from badood.explore.queries import Filters


def test_tables_are_those_on_disk(found: Finished) -> None:
    assert len(found.outliers) == len(found.embeddings) == 240
    assert found.id_quantile == pytest.approx(0.05)
    assert found.tau == 0.25
    groups = found.confidence_groups()
    assert {name: len(values) for name, values in groups.items()} == {"ID validation": 101, "outliers": 240, "real OOD": 30}
    assert (groups["real OOD"] == 0).all()


def test_filter_table_leaves_out_what_kept_nothing(found: Finished) -> None:
    table = found.filters()
    assert table["filter"].tolist() == ["all", "band"]
    assert table["fpr95"].tolist() == [0.5, 0.4]
    assert found.scorers("all")["scorer"].tolist() == ["bad-ood", "msp"]


def test_types_count_what_the_band_keeps(found: Finished) -> None:
    table = found.outliers.table()
    inside = table["id_confidence"].between(0.3, 0.5)
    assert found.types(0.3, 0.5)["after"].sum() == inside.sum()


def test_what_is_not_there_is_named(found: Finished) -> None:
    with pytest.raises(BadInput, match=r"high.*all, band"):
        found.scores("high")
    with pytest.raises(BadInput, match="nosuch"):
        finished("nosuch")


def test_notebook_lines_show_the_run(found: Finished) -> None:
    assert notebook.show_outliers(found, count=10).width > 1000
    assert notebook.show_anchor(found, 9).width == 3 * 120 + 2 * 6
    assert [trace.type for trace in notebook.show_band(found, (0.3, 0.5)).data] == ["bar"] * 3 + ["scatter"]
    assert len(notebook.show_shift(found, "all").data) == 2
    assert len(notebook.show_roc(found, ["all", "band"]).data) == 2
    assert notebook.show_types(found, (0.3, 0.5)).data
    assert notebook.show_filters(found).data
    means = notebook.show_minority(found).data[-1].y
    assert np.all(np.diff(means) > 0)


def test_a_scale_holds_all_outliers_at_ends_with_few_digits(found: Finished) -> None:
    values, scale = found.outliers.values("minority_score"), found.minority_scale
    assert scale.lo <= values.min() <= values.max() <= scale.hi
    assert scale.hi - scale.lo <= 1.03 * (values.max() - values.min())
    assert scale.lo == round(scale.lo, scale.digits)
    assert scale.with_values(-1.0).lo == -1.0


def test_the_band_to_start_with_keeps_something(found: Finished) -> None:
    assert found.starting_band == (found.run.cfg.filter.lo, found.run.cfg.filter.hi)
    path = found.outliers.path
    table = pd.read_parquet(path)
    table.assign(id_confidence=0.01 * table["id_confidence"]).to_parquet(path)  # all far below the run's own band
    other = finished(found.run.folder)
    assert other.fitting_scale == other.outlier_scale
    kept = other.outliers.count(Filters(id_confidence=other.starting_band))
    assert 0 < kept < len(other.outliers)


def test_shares_taken_for_id_follow_the_threshold(found: Finished) -> None:
    limit, taken = found.taken_for_id(0.95)
    energies = found.energies()
    assert (energies["ID validation"] <= limit).mean() >= 0.95
    assert taken == {name: (energies[name] <= limit).mean() for name in ("auxiliary OOD", "outliers")}


def test_a_band_in_quantiles_of_id_and_back(found: Finished) -> None:
    lo, hi = found.limits(0.1, 0.5, quantiles=True)
    assert (lo, hi) == pytest.approx((0.1, 0.5))  # ID validation is uniform here
    assert found.quantiles(lo, hi) == pytest.approx((0.1, 0.5), abs=0.02)
    assert found.limits(0.1, 0.5, quantiles=False) == (0.1, 0.5)
    assert found.quantiles(0.0, 1.0) == (0.0, 1.0)


def test_overlap_is_the_share_above_the_id_quantile(found: Finished) -> None:
    kept = found.outliers.values("id_confidence", Filters(id_confidence=(0.0, 0.5)))
    assert found.overlap(0.0, 0.5) == pytest.approx((kept > found.id_quantile).mean())


def test_types_follow_tau(found: Finished) -> None:
    assert set(found.types_at(1.1)) == {"OOD-III"}
    assert "OOD-III" not in set(found.types_at(0.0))
    table = found.type_table_at(0.0, (0.0, 0.5))
    assert table["after"].sum() == found.outliers.count(Filters(id_confidence=(0.0, 0.5)))
    examples = found.type_examples(0.0, (0.0, 0.5), each=3)
    assert all(len(rows) <= 3 and rows["id_confidence"].between(0, 0.5).all() for rows in examples.values())
    certainty = found.outliers.table()["clip_prob"]
    assert found.type_examples(1.1, (0.0, 1.0), each=1)["OOD-III"]["clip_prob"].item() == certainty.min()
    assert max(rows["clip_prob"].max() for rows in found.type_examples(0.0, (0.0, 1.0)).values() if len(rows)) == certainty.max()


def test_what_a_filter_kept_can_be_listed(found: Finished) -> None:
    record = found.run.record
    record["metrics"]["band"]["filter"] = {"strategy": "band", "lo": 0.3, "hi": 0.5}
    found.run.note(metrics=record["metrics"])
    assert found.kept("band").tolist() == found.outliers.ids(Filters(id_confidence=(0.3, 0.5))).tolist()


def test_without_a_sweep_there_is_an_empty_table(found: Finished) -> None:
    assert found.sweep(quantiles=False).empty
