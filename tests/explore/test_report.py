"""The report is one file that needs no network."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from badood.explore.finished import Finished
from badood.explore.report import sections, write_report


def test_report_is_one_file_with_everything_in_it(found: Finished, tmp_path: Path) -> None:
    text = write_report(found, tmp_path / "report.html", (0.3, 0.5)).read_text()
    assert found.run.id in text
    for section in sections(found, (0.3, 0.5)):
        assert section.heading in text
    outside = re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)=\"(?!data:)", outside), "nothing is fetched"
    assert outside.count("data:image/png;base64,") == 3
    assert "cdn.plot.ly" not in outside
    assert '"preset": "miniworld"' in text.replace("&#34;", '"')


def test_the_shift_is_a_ranking_of_all_and_the_heatmaps_of_ours_and_the_best(found: Finished) -> None:
    table = found.shift("all")
    path = found.run.folder / found.run.rows["all"].evaluation / "shift.parquet"

    def shift(msp: NDArray[np.floating], further: NDArray[np.floating]) -> tuple[list[str], list[str]]:
        rows = [table.query("method == @name").assign(auroc=auroc) for name, auroc in (("bad-ood", semantic), ("msp", msp))]
        rows.append(rows[-1].assign(method="knn", auroc=further))
        pd.concat(rows).to_parquet(path)
        (section,) = [each for each in sections(found, (0.3, 0.5)) if each.heading == "Shift"]
        assert section.table is not None
        assert section.figure is not None
        return section.table["method"].tolist(), [title.text for title in section.figure.layout.annotations]

    semantic = np.repeat(np.arange(8), 8) / 20
    assert shift(semantic / 2, semantic * 2) == (["knn", "bad-ood", "msp"], ["bad-ood", "knn"])
    assert shift(semantic / 2, semantic / 4) == (["bad-ood", "msp", "knn"], ["bad-ood"])


def test_runs_from_before_auroc_on_the_grid_are_reported_without(found: Finished, tmp_path: Path) -> None:
    path = found.run.folder / found.run.rows["all"].evaluation / "shift.parquet"
    found.shift("all").drop(columns="auroc").to_parquet(path)
    assert found.shift("all")["auroc"].isna().all()
    text = write_report(found, tmp_path / "report.html", (0.3, 0.5)).read_text()
    assert "NaN</td>" not in text
    path.unlink()
    assert "No scores on a shift grid yet" in write_report(found, tmp_path / "report.html", (0.3, 0.5)).read_text()


def test_the_default_band_is_the_runs_own_in_confidence(found: Finished, tmp_path: Path) -> None:
    lo, hi = found.starting_band
    assert f"{lo:g} to {hi:g} in id_confidence" in write_report(found, tmp_path / "report.html").read_text()


def test_the_runs_advice_is_shown(found: Finished, tmp_path: Path) -> None:
    left_out = {"set": "far", "path": "a.png", "reason": "cut off", "count": 2, "kind": "unreadable"}
    found.run.note(advice="1,200 images are few: raise detector.epochs <to 60>.", skipped=[left_out, left_out])
    text = write_report(found, tmp_path / "report.html", (0.3, 0.5)).read_text()
    assert "raise detector.epochs &lt;to 60&gt;" in text
    assert "Left out of far: 4 (unreadable), such as a.png" in text


def test_a_band_that_keeps_nothing_is_said_so(found: Finished, tmp_path: Path) -> None:
    parts = {section.heading: section for section in sections(found, (2.0, 3.0))}
    assert parts["Examples from the band"].image is None
    assert "0 of 240" in parts["Where the outliers lie"].text
