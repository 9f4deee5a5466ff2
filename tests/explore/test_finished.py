"""A finished run says what it found, and names what is not there."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from badood.core.artefacts import write_json
from badood.core.errors import BadInput
from badood.explore import notebook
from badood.explore.export import export_csv, export_parquet
from badood.explore.figures.style import colours
from badood.explore.finished import Finished, finished
from badood.explore.queries import Filters, Outliers, origin
from badood.explore.report import write_report
from badood.filter import OVERLAP_LIMIT
from badood.pipeline.artefacts import Harm


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
    assert [trace.type for trace in notebook.show_band(found, (0.3, 0.5)).data] == ["bar", "scatter"] * 3 + ["scatter"]
    assert len(notebook.show_shift(found, "all").data) == 2
    assert len(notebook.show_roc(found, ["all", "band"]).data) == 2
    assert notebook.show_types(found, (0.3, 0.5)).data
    assert notebook.show_filters(found).data
    means = notebook.show_minority(found).data[-1].y
    assert np.all(np.diff(means) > 0)
    assert {trace.name.split(" (")[0] for trace in notebook.show_scores(found).data} == {"ID validation", "auxiliary OOD", "outliers"}


def test_any_images_stand_on_a_sheet_with_their_captions() -> None:
    images = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    assert notebook.show_images(images, ["a", "b", "c"], columns=2, cell=50).size == (2 * 64 - 6, 2 * (58 + 18 + 6) - 6)
    with pytest.raises(BadInput, match="3 images and 1 captions"):
        notebook.show_images(images, ["a"])


def test_a_scale_holds_all_outliers_at_ends_with_few_digits(found: Finished) -> None:
    values, scale = found.outliers.values("minority_score"), found.minority_scale
    assert scale.lo <= values.min() <= values.max() <= scale.hi
    assert scale.hi - scale.lo <= 1.03 * (values.max() - values.min())
    assert scale.lo == round(scale.lo, scale.digits)
    assert scale.with_values(-1.0).lo == -1.0


def with_confidences(found: Finished, change: Callable[[pd.Series], pd.Series]) -> Finished:
    """The run with other id_confidences of its outliers."""
    path = found.outliers.path
    table = pd.read_parquet(path)
    table.assign(id_confidence=change(table["id_confidence"])).to_parquet(path)
    return finished(found.run.folder)


def test_the_band_to_start_with_keeps_outliers_and_is_inside_the_overlap_limit(found: Finished) -> None:
    own = (found.run.cfg.filter.lo, found.run.cfg.filter.hi)
    assert found.overlap(Filters(id_confidence=own)) > OVERLAP_LIMIT
    band = Filters(id_confidence=found.starting_band)
    assert found.overlap(band) <= OVERLAP_LIMIT
    assert 0 < found.outliers.count(band) < len(found.outliers)


def test_the_band_to_start_with_keeps_something_where_the_own_one_does_not(found: Finished) -> None:
    other = with_confidences(found, lambda confidence: 0.01 * confidence)  # all far below the run's own band
    assert other.fitting_scale == other.outlier_scale
    kept = other.outliers.count(Filters(id_confidence=other.starting_band))
    assert 0 < kept < len(other.outliers)


def test_the_band_to_start_with_is_the_own_one_where_all_outliers_look_id(found: Finished) -> None:
    other = with_confidences(found, lambda confidence: 0.2 + 0.8 * confidence)
    assert other.starting_band == (found.run.cfg.filter.lo, found.run.cfg.filter.hi)


def test_shares_taken_for_id_follow_the_threshold(found: Finished) -> None:
    limit, taken = found.taken_for_id(0.95)
    log_odds = found.log_odds()
    assert (log_odds["ID validation"] <= limit).mean() >= 0.95
    assert taken == {name: (log_odds[name] <= limit).mean() for name in ("auxiliary OOD", "outliers")}


def test_a_band_in_quantiles_of_id_and_back(found: Finished) -> None:
    lo, hi = found.limits(0.1, 0.5, quantiles=True)
    assert (lo, hi) == pytest.approx((0.1, 0.5))  # ID validation is uniform here
    assert found.quantiles(lo, hi) == pytest.approx((0.1, 0.5), abs=0.02)
    assert found.limits(0.1, 0.5, quantiles=False) == (0.1, 0.5)
    assert found.quantiles(0.0, 1.0) == (0.0, 1.0)


def test_overlap_is_the_share_above_the_id_quantile(found: Finished) -> None:
    kept = found.outliers.values("id_confidence", Filters(id_confidence=(0.0, 0.5)))
    assert found.overlap(Filters(id_confidence=(0.0, 0.5))) == pytest.approx((kept > found.id_quantile).mean())


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
    assert found.kept("band").tolist() == found.outliers.ids(Filters(id_confidence=(0.3, 0.5))).tolist()


def test_without_a_sweep_there_is_an_empty_table(found: Finished) -> None:
    assert found.sweep(quantiles=False).empty


def test_the_filter_is_chosen_on_validation_images_whatever_test_images_say(found: Finished) -> None:
    assert found.filters().set_index("filter")["fpr95"].idxmin() == "band"
    assert found.chosen is not None
    assert found.chosen.name == "all"


def test_what_was_left_out_is_counted_by_set_and_kind(found: Finished) -> None:
    broken = {"set": "ID training", "kind": "unreadable", "count": 1, "reason": "no image"}
    found.run.note(skipped=[broken | {"path": "a.png"}, broken | {"path": "b.png", "count": 3}, broken | {"set": "far", "path": "c.png"}])
    write_json(
        found.run.folder / "outliers/0/source.json", {"skipped": [{"path": "d.gif", "reason": "too short", "count": 2, "kind": "cut off"}]}
    )
    table = finished(found.run.folder).left_out
    assert table[["set", "kind", "count", "path"]].values.tolist() == [
        ["ID training", "unreadable", 4, "a.png"],
        ["far", "unreadable", 1, "c.png"],
        ["minority", "cut off", 2, "d.gif"],
    ]


def with_two_sources(found: Finished) -> Finished:
    """The same run, whose every third outlier is imported and brings nothing but its image."""
    path = found.outliers.path
    table = pq.read_table(path)
    theirs = np.arange(len(table)) % 3 == 0
    empty = {
        "anchor_id": "",
        "anchor_class": "",
        "anchor_row": -1,
        "guidance_scale": None,
        "minority_score": float("nan"),
        "t": None,
        "source": "theirs",
    }
    for name, nothing in empty.items():
        place, values = table.column_names.index(name), table[name].to_pylist()
        column = pa.array([nothing if other else value for other, value in zip(theirs, values, strict=True)], table.schema.field(name).type)
        table = table.set_column(place, table.schema.field(name), column)
    pq.write_table(table, path)
    config = found.run.cfg.model_dump(mode="json")
    config["outliers"] = [{"name": "minority"}, {"name": "theirs", "source": "imported", "params": {"path": "/photos"}}]
    found.run.note(config=config)
    return finished(found.run.folder)


def test_every_source_has_its_own_figures(found: Finished) -> None:
    both = with_two_sources(found)
    groups = both.confidence_groups(by_source=True)
    assert {name: len(values) for name, values in groups.items()} == {"ID validation": 101, "minority": 160, "theirs": 80, "real OOD": 30}
    assert "minority" not in both.confidence_groups(by_source=True, source=("theirs",))
    table = both.types_by_source(0.5, (0.2, 0.6)).set_index("source")
    assert table["outliers"].to_dict() == {"minority": 160, "theirs": 80}
    assert table.loc["theirs", "inside"] == both.outliers.count(Filters(id_confidence=(0.2, 0.6), source=("theirs",)))
    parts = [both.type_table_at(0.5, (0.2, 0.6), (name,))["after"] for name in both.sources]
    assert (sum(parts) == both.type_table_at(0.5, (0.2, 0.6))["after"]).all()
    assert set(pd.concat(both.type_examples(0.5, (0, 1), source=("theirs",)).values())["source"]) == {"theirs"}
    edges = both.outliers.edges(0.3, 0.5, source=("theirs",))
    assert {both.outliers.row(int(number))["source"] for number in edges["outlier_id"]} == {"theirs"}


def test_columns_that_say_nothing_of_any_outlier_are_not_known(found: Finished) -> None:
    both = with_two_sources(found)
    assert {"guidance_scale", "anchor_class", "minority_score"} <= both.outliers.known
    path = both.outliers.path
    table = pq.read_table(path)
    pq.write_table(table.filter(pc.equal(table["source"], "theirs")), path)
    theirs = finished(found.run.folder).outliers
    assert not theirs.known & {"guidance_scale", "anchor_class", "anchor_id", "anchor_row", "minority_score", "t"}
    assert {"id_confidence", "seed", "source"} <= theirs.known
    one = theirs.page(limit=1).iloc[0]
    assert len(theirs.siblings(int(one["outlier_id"]))) == 1, "outliers without an anchor are no siblings"
    assert origin(one) == "theirs"


def test_a_report_and_sheets_of_two_sources_show_no_gaps(found: Finished, tmp_path: Path) -> None:
    both = with_two_sources(found)
    assert notebook.show_outliers(both, Filters(source=("theirs",)), count=10).width > 1000
    assert notebook.show_minority(both).data
    text = write_report(both, tmp_path / "report.html").read_text()
    outside = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert "Sources" in outside
    assert not re.search(r">\s*(nan|None)\b", outside)


def test_before_a_detector_has_looked_there_are_outliers_to_look_at_and_to_export(found: Finished, tmp_path: Path) -> None:
    rng, folder = np.random.default_rng(0), found.run.folder / "outliers/0"
    np.save(folder / "images.npy", rng.integers(0, 255, (5, 3, 16, 16), dtype=np.uint8))
    pd.DataFrame({"guidance_scale": [0.1] * 5}).to_parquet(folder / "rows.parquet")
    kept = {name: place for name, place in found.run.record["results"].items() if name in ("train", "split", "sources")}
    found.run.note(results=kept, state="failed")
    early = finished(found.run.folder)
    assert not early.scored
    assert len(early.outliers) == 5
    assert early.outliers.known == {"outlier_id", "source", "guidance_scale"}
    assert notebook.show_outliers(early).height > 100
    again = Outliers(export_parquet(early.outliers, tmp_path / "some.parquet", [1, 3]))
    assert again.images([3]) == early.outliers.images([3])
    assert len(pd.read_csv(export_csv(early.outliers, tmp_path / "all.csv"))) == 5
    with pytest.raises(BadInput, match="no calibration yet"):
        _ = early.id_quantile


def test_groups_of_scores_are_told_apart_by_colour(found: Finished) -> None:
    for groups in (found.log_odds(), found.confidence_groups()):
        tints = colours(list(groups))
        assert len(set(tints.values())) == len(groups) >= 2


def test_harm_has_a_scale_a_plot_and_says_what_it_is_worth(found: Finished, tmp_path: Path) -> None:
    harm = found.outliers.values("harm")
    assert (found.harm_scale.lo, found.harm_scale.hi) == pytest.approx((harm.min(), harm.max()), abs=found.harm_scale.step)
    assert str(found.harm_told) == "0.80 (0.60 to 0.90, n = 24)"
    dots, means = notebook.show_harm(found).data
    assert len(dots.x) == 240
    # the harm of these is 10 times their confidence less 5, so that the means lie on that line
    np.testing.assert_allclose(means.y, 10 * np.array(means.x) - 5)
    assert "0.80 (0.60 to 0.90, n = 24)" in write_report(found, tmp_path / "report.html").read_text()


def test_harm_that_foretells_nothing_is_not_shown(found: Finished, tmp_path: Path) -> None:
    folder = found.run.folder / "harm" / "0"
    write_json(folder / "agreement.json", {"spearman": 0.1, "lo": -0.3, "hi": 0.5, "count": 24})
    assert Harm(folder).table().column_names == ["gradient_anomaly"]
    assert "Harm" not in write_report(found, tmp_path / "report.html").read_text()
    table = found.run.folder / "table" / "0" / "outliers.parquet"
    pq.write_table(pq.read_table(table).drop_columns(["harm"]), table)
    with pytest.raises(BadInput, match="could not be estimated"):
        notebook.show_harm(finished(found.run.folder))
