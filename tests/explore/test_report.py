"""The report is one file that needs no network."""

import re
from pathlib import Path

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
