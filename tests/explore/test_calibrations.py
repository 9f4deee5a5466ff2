"""Calibrators are compared on images they were not fitted on."""

import numpy as np
import pandas as pd

from badood.calibrate import calibration_error, calibrator
from badood.explore import notebook
from badood.explore.calibrations import compare_calibrators
from badood.explore.finished import Finished


def test_calibration_lowers_the_error_of_overconfident_scores() -> None:
    rng = np.random.default_rng(0)
    is_id = np.repeat([True, False], 1000)
    energy = 6 * rng.normal(size=2000) + np.where(is_id, -4, 4)
    curves = compare_calibrators(pd.DataFrame({"set": np.where(is_id, "validation", "auxiliary"), "log_odds": energy}))
    assert set(curves) == {"raw", *calibrator}
    error = {name: calibration_error(table) for name, table in curves.items()}
    assert error["raw"] > 0.08
    assert all(error[name] < 0.5 * error["raw"] for name in calibrator)
    assert all(table["count"].sum() == 1000 for table in curves.values())


def test_a_notebook_shows_every_map_and_how_far_it_can_be_trusted(small_run: Finished) -> None:
    assert [trace.name for trace in notebook.show_calibration(small_run).data if trace.line.width == 4] == ["beta"]
    shown = [trace.name for trace in notebook.show_reliability(small_run, ["raw", "beta"]).data]
    assert [name.split(" (")[0] for name in shown] == ["perfect", "raw", "beta"]
    assert len(notebook.show_reliability(small_run).data) > len(shown)
