"""What hostile inputs are made of: sound files damaged anywhere, names that lead elsewhere, texts that are code to somebody."""

import json
import os
import pickle
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

CANARY = "canary"
"""Name of the file that any code in an input makes, in the folder that hostile inputs want to write to."""

_NUMBERS = [0, 1, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]


class Bomb:
    """A pickle of it runs a command when it is read."""

    def __init__(self, outside: Path) -> None:
        self.outside = outside

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.outside / CANARY}",)


def bombs(outside: Path) -> list[bytes]:
    """Pickles that run code, in several dialects."""
    return [pickle.dumps(Bomb(outside), protocol) for protocol in range(5)] + [
        f"cos\nsystem\n(S'touch {outside / CANARY}'\ntR.".encode(),
        f"cbuiltins\nexec\n(S'open({str(outside / CANARY)!r}, \"w\")'\ntR.".encode(),
    ]


def names(outside: Path) -> st.SearchStrategy[str]:
    """Names of files, runs, classes, columns: many lead out of the folder, or are code in some language."""
    away = [f"{'../' * steps}outside/x.png" for steps in range(1, 6)]
    away += [
        f"{outside}/x.png",
        f"a/../../../outside/{CANARY}",
        "..\\..\\outside\\x.png",
        "C:\\x.png",
        "\\\\host\\share",
        f"file://{outside}/x",
    ]
    odd = [
        "",
        ".",
        "..",
        "-",
        "~root",
        "a\0b",
        "a\nb",
        "\x1b[31m",
        "é",
        "e\u0301",
        "\u202egnp.exe",
        "🦖",
        "x" * 300,
        "x" * 5000,
        "NUL",
        "con.png",
        " ",
    ]
    code = [
        "'; DROP TABLE outliers; --", '"', '"; COPY outliers TO \'' + f"{outside}/{CANARY}" + "'; --", "{{ 7 * 7 }}", "{% include '/etc/passwd' %}",
        "<script>alert(1)</script>", "=cmd|' /C calc'!A0", f"$(touch {outside}/{CANARY})", f"`touch {outside}/{CANARY}`", "%s%n%s", "%(x)s",
        "null", "NaN", "1e999", "-1", "9" * 400, "0x10", "١٢", "True", "[]", "outlier_id", "OUTLIER_ID", "source", "image", "row", "*",
    ]  # fmt: skip
    return st.one_of(st.sampled_from([*away, *odd, *code]), st.text(max_size=12))


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A sound file with up to four wounds: bytes changed, cut off, taken out, put in, or a number set to one that overflows."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.integers(1, 64))
        match draw(st.sampled_from(["change", "cut", "take", "put", "number", "repeat"])):
            case "change":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[at:]
            case "take":
                del content[at : at + length]
            case "put":
                content[at:at] = draw(st.binary(max_size=length))
            case "number":
                number = draw(st.sampled_from(_NUMBERS)).to_bytes(8, draw(st.sampled_from(["little", "big"])))
                content[at : at + 4] = number[:4]
            case "repeat":
                content[at:at] = content[at : at + length] * draw(st.integers(1, 40))
    return bytes(content)


def plain(outside: Path) -> st.SearchStrategy[Any]:
    """What JSON and YAML hold, however nested, of other kinds and sizes than are asked for."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([-1, 2**63, 10**30]),
        st.floats(),
        names(outside),
    )
    return st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names(outside), inner, max_size=3)), max_leaves=6
    )


@st.composite
def altered(draw: st.DrawFn, sound: Any, other: st.SearchStrategy[Any]) -> Any:
    """Sound nested data of which one to three parts are taken away or are something else."""
    content = json.loads(json.dumps(sound))
    for _ in range(draw(st.integers(1, 3))):
        place, key = content, None
        while isinstance(place, dict | list) and place:
            above, key = place, draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            place = above[key]
            if draw(st.integers(0, 2)) == 0:
                break
        if key is None:
            return content
        if draw(st.booleans()):
            above[key] = draw(other)
        else:
            del above[key]
    return content


def safetensors_of(header: bytes, size: int | None = None) -> bytes:
    """A safetensors file of a header, whose length it tells wrongly where `size` is given."""
    return struct.pack("<Q", len(header) if size is None else size) + header + bytes(64)
