"""Figures show the numbers they are given, with titles and axes that say what and in which unit."""

import io
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from numpy.typing import NDArray
from PIL import Image

from badood.calibrate import reliability_table
from badood.core.errors import BadInput
from badood.evaluate.ood_types import type_table
from badood.evaluate.shift import shift_table
from badood.explore import figures
from badood.explore.figures import style

RNG = np.random.default_rng(0)
GRID = {"semantic": np.repeat(np.arange(8.0), 16), "covariate": np.tile(np.repeat(np.arange(8.0), 2), 8)}
BANDS = pd.DataFrame(
    [(lo, hi, hi - lo, 100 * (hi - lo)) for lo in (0.0, 0.1, 0.2) for hi in (0.3, 0.6)], columns=["lo", "hi", "fpr95", "kept"]
)
FILTERS = pd.DataFrame(
    {"filter": ["all", "mid"], "kept": [1000, 90], "fpr95": [0.54, 0.4], "fpr95_std": [0.01, 0.02], "auroc": [0.88, 0.91]}
)
POINTS = pd.DataFrame({"x": RNG.random(30), "y": RNG.random(30), "kind": ["ID"] * 10 + ["outlier"] * 20, "id": range(30)}).assign(
    id_confidence=RNG.random(30), ood_type=["OOD-I", "OOD-II", "OOD-III"] * 10
)
CURVE = reliability_table(np.linspace(0, 1, 40), np.arange(40) > 15)

MADE = {
    "band_sweep": lambda: figures.band_sweep(BANDS, band=(0.1, 0.6)),
    "calibration_curves": lambda: figures.calibration_curves(
        pd.DataFrame({"log_odds": [-1.0, 0, 1], "raw": [0.7, 0.5, 0.3], "beta": [0.9, 0.5, 0.1]}), "beta"
    ),
    "confidence_histogram": lambda: figures.confidence_histogram({"outliers": RNG.random(100)}, (0.3, 0.5), id_quantile=0.4),
    "embedding_map": lambda: figures.embedding_map(POINTS),
    "filter_table": lambda: figures.filter_table(FILTERS),
    "harm_by_confidence": lambda: figures.harm_by_confidence(
        pd.DataFrame({"outlier_id": range(40), "id_confidence": RNG.random(40), "harm": RNG.normal(size=40)})
    ),
    "minority_scores": lambda: figures.minority_scores(
        pd.DataFrame({"guidance_scale": [0.025, 0.05] * 20, "minority_score": RNG.random(40)})
    ),
    "ood_types": lambda: figures.ood_types(type_table(np.array(["OOD-I", "OOD-III"], object), np.array([True, False]))),
    "reliability": lambda: figures.reliability({"beta": CURVE}, {"beta": 0.02}),
    "roc": lambda: figures.roc({"ours": RNG.random(50)}, {"ours": RNG.random(50) + 0.5}),
    "score_densities": lambda: figures.score_densities({"ID validation": RNG.random(50), "outliers": RNG.random(50) + 1}, limit=0.5),
    "shift_heatmaps": lambda: figures.shift_heatmaps(shifted({name: RNG.random(128) for name in "abcd"})),
}


def test_every_figure_is_made_here() -> None:
    assert set(MADE) == set(figures.__all__) - {"contact_sheet", "with_band"}


@pytest.mark.parametrize("name", sorted(MADE))
def test_figures_have_title_and_axes_and_leave_text_and_ground_to_the_template(name: str) -> None:
    figure = MADE[name]()
    assert figure.layout.title.text
    assert figure.layout.paper_bgcolor is figure.layout.plot_bgcolor is figure.layout.font.color is None
    titled = [axis.title.text for axis in [*figure.select_xaxes(), *figure.select_yaxes()]]
    assert sum(bool(text) for text in titled) >= 1
    assert go.Figure(figure.to_dict())


def test_histogram_is_in_percent_of_each_group() -> None:
    figure = figures.confidence_histogram({"outliers": np.array([0.05, 0.06, 0.95, 1.0]), "ID validation": np.array([0.5])}, bins=10)
    assert figure.data[0].y[0] == 50
    assert figure.data[0].y[-1] == 50
    assert sum(next(trace for trace in figure.data if trace.type == "bar" and "ID" in trace.name).y) == 100


def test_a_part_of_the_axis_keeps_the_shares_of_the_whole_group() -> None:
    figure = figures.confidence_histogram({"outliers": np.array([0.005, 0.006, 0.5, 0.9])}, id_quantile=0.4, span=(0.0, 0.01), bins=10)
    assert sum(figure.data[0].y) == 50
    assert figure.layout.xaxis.range == (0.0, 0.01)
    assert len(figure.data) == 2  # bars and the line around them; the line of ID lies outside


def test_another_band_takes_the_place_of_the_one_before() -> None:
    figure = figures.confidence_histogram({"outliers": RNG.random(100)}, (0.3, 0.5), mark=0.7, draggable=True)
    moved = figures.with_band(figure, (0.1, 0.2), draggable=True)
    assert moved is figure
    assert [(shape.x0, shape.x1) for shape in moved.layout.shapes if shape.name == "band"] == [(0.1, 0.2)]
    assert [(box.x0, box.x1) for box in moved.layout.selections] == [(0.1, 0.2)]
    assert [note.text for note in moved.layout.annotations if note.name == "band"] == ["band 0.10–0.20"]
    assert len(moved.layout.shapes) == 2  # the mark stays


def test_empty_group_draws_no_bar_and_breaks_nothing() -> None:
    assert sum(figures.confidence_histogram({"real OOD": np.array([])}).data[0].y) == 0


def shifted(scores: dict[str, NDArray], levels: dict[str, NDArray] = GRID) -> pd.DataFrame:
    """A shift table whose AUROC is an eighth of the mean anomaly."""
    return shift_table(levels, scores, {name: score / 8 for name, score in scores.items()})


def test_heatmaps_have_a_panel_a_method_with_semantic_downward() -> None:
    table = shifted({"semantic": GRID["semantic"], "covariate": GRID["covariate"]})
    figure = figures.shift_heatmaps(table)
    semantic, covariate = figure.data
    np.testing.assert_allclose(semantic.z[:, 0], np.arange(8) / 7)
    np.testing.assert_allclose(covariate.z[0], np.arange(8) / 7)
    assert semantic.customdata[7, 0].tolist() == [7.0, 2.0, 87.5]
    assert [semantic.text[level][0] for level in (0, 7)] == ["0", "88"], "AUROC in percent: an eighth of it a level"
    assert figure.layout.yaxis.autorange == "reversed"


def test_heatmap_of_a_grid_with_holes_leaves_them_blank() -> None:
    rows = (GRID["semantic"] != 3) | (GRID["covariate"] != 5)
    table = shifted({"a": np.arange(rows.sum())}, {name: values[rows] for name, values in GRID.items()})
    (panel,) = figures.shift_heatmaps(table).data
    assert np.isnan(panel.z[3, 5])
    assert panel.text[3][5] == ""
    assert np.isfinite(panel.z).sum() == 63


def test_a_level_without_any_cell_stays_a_row_of_the_heatmap() -> None:
    rows = GRID["semantic"] != 3
    (panel,) = figures.shift_heatmaps(shifted({"a": np.arange(rows.sum())}, {name: values[rows] for name, values in GRID.items()})).data
    assert list(panel.y) == list(range(8))
    assert np.isnan(panel.z[3]).all()
    assert np.isfinite(panel.z).sum() == 56


def test_sweep_marks_the_best_and_the_current_band() -> None:
    *_, best, current = figures.band_sweep(BANDS, band=(0.0, 0.3)).data
    assert (best.x[0], best.y[0]) == (0.2, 0.3)
    assert (current.x[0], current.y[0]) == (0.0, 0.3)


def themes() -> dict[str, dict[str, str]]:
    """Colours of the dashboard's themes, light and dark."""
    theme = tomllib.loads((Path(__file__).parents[3] / "app" / ".streamlit" / "config.toml").read_text())["theme"]
    assert tuple(theme["chartCategoricalColors"]) == style.PALETTE
    return {name: theme[name] for name in ("light", "dark")}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_what_is_drawn_stands_out_from_both_pages(name: str) -> None:
    """WCAG 2.2: graphics 3:1, text 4.5:1."""
    theme = themes()[name]
    many = style.colours([f"class {number}" for number in range(40)])
    assert len(set(many.values())) == 40
    drawn = {style.INK, style.BAND, *style.TYPE_COLOURS.values(), *style.GROUP_COLOURS.values(), *style.PALETTE, *many.values()}
    drawn |= {*style.source_colours([str(number) for number in range(12)]).values(), *(colour for _, colour in style.DOT_SCALE)}
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        faint = {colour: round(found, 2) for colour in drawn if (found := style.contrast(colour, theme[ground])) < 3}
        assert not faint
        assert style.contrast(theme["textColor"], theme[ground]) >= 4.5
        assert style.contrast(theme["linkColor"], theme[ground]) >= 4.5
        assert style.contrast(theme["primaryColor"], theme[ground]) >= 3
    assert style.contrast(theme["primaryColor"], "#FFFFFF") >= 4.3  # on dark it must stand out from both ends: no colour has 4.5 to each


def test_contrast_is_that_of_wcag() -> None:
    assert style.contrast("#FFFFFF", "#000000") == pytest.approx(21)
    assert style.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_roc_crosses_95_percent_of_id_at_the_fpr95() -> None:
    known, odd = np.linspace(0, 1, 1000), np.linspace(0.5, 1.5, 1000)
    curve = figures.roc({"a": known}, {"a": odd}).data[0]
    # 95 % of ID lie below 0.95, and so do 45 % of OOD
    assert np.interp(95, curve.y, curve.x) == pytest.approx(45, abs=0.5)


def test_nothing_to_show_is_said_in_words() -> None:
    for figure in (figures.shift_heatmaps(pd.DataFrame()), figures.filter_table(FILTERS[:0]), figures.band_sweep(BANDS[:0])):
        assert figure.layout.annotations[0].text


def test_contact_sheet_shows_images_borders_and_confidence() -> None:
    def png(colour: tuple[int, int, int]) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(buffer, "PNG")
        return buffer.getvalue()

    sheet = figures.contact_sheet(
        [png((250, 0, 0)), png((0, 250, 0)), png((0, 0, 250))], [0.31, None, 0.5], ["OOD-I", None, "OOD-III"], columns=2, cell=64
    )
    assert sheet.size == (2 * 72 + 6, 2 * 72 + 6)
    assert sheet.getpixel((30, 40)) == (250, 0, 0, 255)
    assert sheet.getpixel((1, 1)) == (0x00, 0x72, 0xB2, 255)
    corner = np.asarray(sheet.crop((40, 4, 68, 20)))[..., :3]
    assert (corner.min(axis=2) > 200).any(), "white figures stand in the upper right corner"
    with pytest.raises(BadInput):
        figures.contact_sheet([], [], [])


def test_a_dragged_band_is_a_box_that_events_report() -> None:
    figure = figures.confidence_histogram({"outliers": RNG.random(100)}, (0.2, 0.4), draggable=True)
    (box,) = figure.layout.selections
    assert (box.type, box.x0, box.x1) == ("rect", 0.2, 0.4)
