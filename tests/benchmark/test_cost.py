"""What a run costs, scaled from small numbers."""

import pytest

from badood.benchmark.cost import Line, foretold, page

SPEED = {
    "machine": {"name": "some CPU"},
    "rows": [{"size": "L", "stage": "decode", "mode": mode, "seconds": seconds} for mode, seconds in (("default", 36.0), ("int8", 9.0))],
}


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """Cells of the table below a heading, by stage."""
    lines = [line for line in text.split(f"## {heading}\n\n")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    return {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines[2:]}


def test_the_line_goes_through_what_was_measured() -> None:
    line, ratio = foretold({100: 12.0, 300: 32.0, 900: 184.0})
    assert (line.fixed, line.each) == (pytest.approx(2.0), pytest.approx(0.1))
    assert ratio == pytest.approx(2.0), "twice what the smaller ones foretold"
    assert Line.through({100: 5.0, 200: 4.0}) == Line(4.5, 0.0), "nothing shrinks with more outliers"


def test_the_page_scales_time_and_disk() -> None:
    seconds = {
        "outliers": {100: 12.0, 200: 22.0, 400: 42.0},
        "detect": {100: 60.0, 200: 60.0, 400: 60.0},
        "encode": {100: 5.0, 200: 5.0, 400: 5.0},
    }
    size = {"outliers": {100: 1.0, 200: 2.0, 400: 4.0}}
    text = page({"preset": "miniworld", "cpu": "some CPU", "cores": 2, "seconds": seconds, "mb": size}, SPEED)
    time = rows(text, "Time")
    assert time["outliers"] == ["2.0 s", "1.7 min", "12.0 s", "27.8 h", "2,777.8 h", "1.00"]
    assert "encode" not in time, "less than a thousandth of a million's time"
    assert time["**run**"][3] == "27.8 h"
    assert rows(text, "Disk")["outliers"][2:] == ["1.0 MB", "10.0 GB", "1,000.0 GB", "1.00"]
    assert rows(text, "The generator at the paper's size")["L"] == ["decode", "36.0 s", "100.0 h", "10,000.0 h"]
