"""Captions are legible for any class name, on any machine."""

import io

import pytest
from PIL import Image, ImageFont

from badood.explore.figures import contact_sheet
from badood.explore.figures import lettering as module
from badood.explore.figures.lettering import lettering, missing

NAMES = ["cat → dog", "日本 語", "кот", "a:b", "line\nbreak", "tab\tand\x00null", "\udcff\udce9t", "", "عربي", "x" * 300]


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose only font is Pillow's own."""
    monkeypatch.setattr(module, "_fonts", lambda: ())
    lettering.cache_clear()


def legible(name: str) -> str:
    text, font = lettering(name, 12)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert not missing(font, text)
    assert text.isprintable()
    return text


@pytest.mark.parametrize("name", NAMES)
def test_every_letter_can_be_drawn(name: str) -> None:
    legible(name)


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_letters_are_spelt_out() -> None:
    assert legible("cat → 日 кот") == "cat -> \\u65e5 \\u043a\\u043e\\u0442"
    assert legible("plain name") == "plain name"
    lettering.cache_clear()


def test_names_that_differ_stay_different_and_on_one_line() -> None:
    assert legible("line\nbreak") == "line break"
    assert legible("\udcff\udce9t") == "\\xff\\xe9t"
    assert len({legible(name) for name in NAMES}) == len(NAMES)


def test_a_contact_sheet_takes_all_of_them() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "PNG")
    count = len(NAMES)
    sheet = contact_sheet([buffer.getvalue()] * count, [0.5] * count, ["OOD-I"] * count, NAMES)
    for position, name in enumerate(NAMES):
        box = sheet.crop((position * 126, 120, position * 126 + 120, 138))
        assert (box.getbbox() is not None) == bool(name), name
