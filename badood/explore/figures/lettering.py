"""Text on images: any class name is legible, whatever its script and whatever fonts the machine has."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
"""Where systems keep fonts."""

_WIDE = (
    "notosanscjk",
    "notosans-",
    "dejavusans.",
    "arial unicode",
    "pingfang",
    "hiragino",
    "msyh",
    "yugoth",
    "malgun",
    "wqy",
    "droidsans",
    "unifont",
)
"""Names of fonts that hold many scripts; they are tried before the others, in this order."""

_SPELT = {"→": "->", "…": "..."}
"""How to write signs of our own without their letters."""

_NOTHING = "\U0010ffff"
"""A character that no font has: what is drawn for it is drawn for everything that is missing."""


@lru_cache(maxsize=1024)
def lettering(text: str, size: int) -> tuple[str, Font]:
    """A text that can be drawn in one line, and a font for it.

    Line breaks and other control characters become spaces. Where Pillow's own font lacks a character, a font of the system is taken that
    has them all; without one, what is missing is written as its code, such as \\u65e5.
    """
    line = one_line(text)
    font: Font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont) or not (lacking := missing(font, line)):
        return line, font
    for path in _fonts():
        other = _opened(path, size)
        if other is not None and len(fewer := missing(other, line)) < len(lacking):
            font, lacking = other, fewer
        if not lacking:
            break
    return "".join(_SPELT.get(letter, f"\\u{ord(letter):04x}") if letter in lacking else letter for letter in line), font


def one_line(text: str) -> str:
    """Without line breaks and control characters; bytes of a file name that are no text as \\xff."""
    letters = (f"\\x{ord(letter) - 0xDC00:02x}" if "\udc80" <= letter <= "\udcff" else letter for letter in text)
    return " ".join("".join(" " if unicodedata.category(letter[0]) in ("Cc", "Zl", "Zp", "Cs") else letter for letter in letters).split())


def missing(font: ImageFont.FreeTypeFont, text: str) -> set[str]:
    """The characters that a font lacks."""
    return {letter for letter in set(text) if not letter.isspace() and not _has(font, letter)}


@lru_cache(maxsize=65_536)
def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    plain = _plain(font)
    drawn, nothing = plain.getmask(letter), plain.getmask(_NOTHING)
    return drawn.size != nothing.size or bytes(drawn) != bytes(nothing)


@lru_cache(maxsize=64)
def _plain(font: ImageFont.FreeTypeFont) -> ImageFont.FreeTypeFont:
    """The font without shaping, which draws more than the letter that was asked for."""
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1)
def _fonts() -> tuple[Path, ...]:
    """The font files of the system, those of many scripts first."""
    found = [path for folder in _FOLDERS for path in _files(Path(folder).expanduser())]

    def rank(path: Path) -> tuple[int, str]:
        name = path.name.lower()
        return next((place for place, wide in enumerate(_WIDE) if name.startswith(wide)), len(_WIDE)), name

    return tuple(sorted(found, key=rank))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in (".ttf", ".ttc", ".otf"))


@lru_cache(maxsize=256)
def _opened(path: Path, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:  # one of the kinds that FreeType cannot draw
        return None
