"""Images, and all that holds or lists them."""

import io
import json
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hypothesis import strategies as st
from PIL import Image

from badood.core.compute import Compute
from badood.core.errors import BadInput
from badood.core.progress import Silent
from badood.data import dataset, images
from badood.data.parquet import read_parquet
from badood.data.unpack import unpack_images
from badood.explore.queries import Outliers
from badood.outliers import Given
from badood.outliers.imported import Imported
from badood.pipeline.stages.table import write_outliers
from tests.faults import inputs
from tests.faults.doors.door import Door, as_file, door


def picture(kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """A small sound image."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((24, 16)).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def _bomb_png(side: int) -> bytes:
    """A PNG of white of so many pixels in a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(min(side, 8000) ** 2 // 8 + side), 9))
        + chunk(b"IEND", b"")
    )


def _text_bomb() -> bytes:
    """A PNG whose comment is a hundred megabytes when it is unpacked."""
    sound = picture()
    content = b"Comment\0\0" + zlib.compress(bytes(100 * 2**20), 9)
    told = len(content).to_bytes(4, "big") + b"zTXt" + content + zlib.crc32(b"zTXt" + content).to_bytes(4, "big")
    return sound[:33] + told + sound[33:]


@door("image", share=20)
def image(outside: Path) -> Door:
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("PNG", "RGB", {}), ("PNG", "P", {}), ("PNG", "LA", {}), ("PNG", "I;16", {}), ("JPEG", "RGB", {}), ("JPEG", "CMYK", {}), ("WEBP", "RGBA", {}),
        ("GIF", "P", {"save_all": True, "append_images": [Image.new("P", (24, 16))]}), ("BMP", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "F", {}), ("PPM", "L", {}), ("AVIF", "RGB", {}), ("JPEG", "L", {"exif": Image.Exif()}),
    ]  # fmt: skip
    seeds = [picture(kind, mode, **options) for kind, mode, options in kinds]
    whole = [
        _bomb_png(60_000),
        _bomb_png(7_900),
        _text_bomb(),
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ]

    def read(folder: Path, content: bytes) -> None:
        fault = images.check(folder / "x.png", "x.png")
        try:
            pixels = images.decode(folder / "x.png", "x.png")
        except BadInput:
            assert fault is not None, "it was called sound"
            raise
        assert fault is None, f"it was called unreadable: {fault}"
        assert pixels.ndim == 3
        assert pixels.dtype == np.uint8

    return Door(st.one_of(inputs.damaged(seeds), inputs.damaged(seeds), st.sampled_from(whole)), as_file("x.png"), read)


def _table(rows: int, outside: Path) -> bytes:
    """A sound parquet file as `datasets` writes it, with a column of texts and one of numbers."""
    pictures = [{"bytes": picture(), "path": None} for _ in range(rows)]
    columns = {
        "image": pa.array(pictures, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        "label": pa.array([row % 2 for row in range(rows)], pa.int64()),
        "note": pa.array([f"row {row}" for row in range(rows)]),
    }
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=2)
    return buffer.getvalue()


@st.composite
def tables(draw: st.DrawFn, outside: Path) -> bytes:
    """Parquet of images in columns of any name and kind, with metadata of any kind."""
    rows = 3
    values = {
        "bytes": pa.array([picture()] * rows),
        "paths": pa.array(draw(st.lists(inputs.names(outside).map(printable), min_size=rows, max_size=rows))),
        "struct": pa.array(
            [{"bytes": None, "path": printable(draw(inputs.names(outside)))}] * rows,
            pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        ),
        "numbers": pa.array(
            draw(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=rows, max_size=rows)), pa.int64()
        ),
        "floats": pa.array(draw(st.lists(st.one_of(st.none(), st.floats()), min_size=rows, max_size=rows)), pa.float64()),
        "lists": pa.array([[1, 2]] * rows),
        "nothing": pa.nulls(rows),
        "texts": pa.array(draw(st.lists(inputs.names(outside).map(printable), min_size=rows, max_size=rows))).dictionary_encode(),
        "moments": pa.array([0] * rows, pa.timestamp("us", "UTC")),
        "decimals": pa.array([1] * rows).cast(pa.decimal128(20)),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=5))
    called = [
        printable(draw(st.one_of(st.sampled_from(["image", "label", "path", "anchor", "class"]), inputs.names(outside)))) for _ in chosen
    ]
    about = draw(
        st.one_of(
            st.none(), inputs.plain(outside), st.fixed_dictionaries({"info": st.fixed_dictionaries({"features": inputs.plain(outside)})})
        )
    )
    table = pa.Table.from_arrays([values[name] for name in chosen], names=called)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), buffer)
    return buffer.getvalue()


def printable(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()


@door("parquet", share=20)
def parquet(outside: Path) -> Door:
    seeds = [_table(3, outside), _table(5, outside)]

    def read(folder: Path, content: bytes) -> None:
        read_parquet([folder / "x.parquet"], "x").pixels(8)

    return Door(st.one_of(inputs.damaged(seeds), tables(outside)), as_file("x.parquet"), read)


GIVEN = Given(8, Compute(torch.device("cpu"), torch.float32), Silent(), np.array([0, 1]), ["cat", "dog"], ["cat/0.png", "dog/1.png"])


def imported(folder: Path, given: Any) -> None:
    """All outliers of a source, as the first stage gathers them, then as a table that is asked for its columns."""
    source = Imported(str(folder))
    source.check()
    groups = list(source.groups(GIVEN, 0))
    assert sum(len(group.images) for group in groups) == source.total(GIVEN)
    columns = {name: pa.array(values) for name, values in groups[0].columns.items()}
    table = pa.table({"outlier_id": np.arange(len(groups[0].images)), "source": ["x"] * len(groups[0].images), **columns})
    write_outliers(folder / "outliers.parquet", table, groups[0].images)
    made = Outliers(folder / "outliers.parquet")
    assert len(made) == len(table)
    for column in sorted(made.known):
        made.page(sort=column, limit=3)
        made.mix(column)
    made.images([0])


@door("imported parquet", share=20)
def imported_parquet(outside: Path) -> Door:
    seeds = [_table(3, outside)]
    return Door(st.one_of(inputs.damaged(seeds), tables(outside)), as_file("x.parquet"), imported)


def _saved(array: Any, *, packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=array) if packed else np.save(buffer, array)
    return buffer.getvalue()


def _header(text: str) -> bytes:
    """An array file with a header of any text."""
    told = text.encode("latin1", errors="replace") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(told).to_bytes(2, "little")[:2] + told + bytes(600)


@door("npy")
def npy(outside: Path) -> Door:
    seeds = [
        _saved(np.zeros((3, 8, 8, 3), np.uint8)),
        _saved(np.full((2, 3, 8, 8), 0.5, np.float32)),
        _saved(np.array([inputs.Bomb(outside)], object)),
    ]
    shape = st.lists(st.sampled_from([0, 1, 3, 8, 2**31, 2**62, 10**30, -1]), max_size=5).map(tuple)
    kinds = st.sampled_from(
        ["|u1", "<f4", "<f8", "|O", "<U99999999", "<M8[s]", "|V2147483647", "[('a', '|O')]", "__import__('os').system('x')", ">f2"]
    )
    headers = st.builds(lambda shape, kind: _header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape!r}}}"), shape, kinds)
    code = st.builds(
        lambda text: _header(text[:60_000]),
        st.one_of(st.just("(" * 50_000), st.just(f"__import__('os').system('touch {outside}/canary')"), inputs.names(outside)),
    )
    return Door(st.one_of(inputs.damaged(seeds), headers, code, st.sampled_from(inputs.bombs(outside))), as_file("x.npy"), imported)


@st.composite
def archives(draw: st.DrawFn, outside: Path, suffix: str = "") -> bytes:
    """A zip archive of any names and kinds of entries; some declare less than they hold, some are a thousand times smaller than what they hold."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for _ in range(draw(st.integers(0, 4))):
            entry = zipfile.ZipInfo(printable(draw(inputs.names(outside)))[:60_000] + draw(st.sampled_from(["", ".png", ".npy", suffix])))
            entry.compress_type = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
            entry.external_attr = draw(st.sampled_from([0, 0o120777 << 16, 0o010644 << 16, 0o104755 << 16]))
            archive.writestr(
                entry, draw(st.sampled_from([picture(), str(outside).encode(), bytes(3 * 2**20), _saved(np.zeros((2, 8, 8, 3), np.uint8))]))
            )
    content = bytearray(buffer.getvalue())
    if draw(st.booleans()):  # a size that is told wrongly, in the directory at the end
        at = content.rfind(b"PK\x01\x02")
        if at >= 0:
            content[at + 24 : at + 28] = draw(st.sampled_from([0, 10, 2**31 + 5, 2**32 - 1])).to_bytes(4, "little")
    return bytes(content)


@door("npz")
def npz(outside: Path) -> Door:
    seeds = [_saved(np.zeros((3, 8, 8, 3), np.uint8), packed=True)]
    return Door(st.one_of(inputs.damaged(seeds), archives(outside)), as_file("x.npz"), imported)


@door("zip")
def zipped(outside: Path) -> Door:
    def read(folder: Path, content: bytes) -> None:
        (folder / "in").mkdir()
        with (folder / "x.zip").open("rb") as archive:
            count = unpack_images(archive, folder / "in")
        assert sum(path.is_file() for path in (folder / "in").rglob("*")) == count
        assert not any(path.is_symlink() for path in (folder / "in").rglob("*"))

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("cat/0.png", "dog/1.png"):
            archive.writestr(name, picture())
    return Door(st.one_of(inputs.damaged([buffer.getvalue()]), archives(outside, ".png")), as_file("x.zip"), read)


@st.composite
def tars(draw: st.DrawFn, outside: Path) -> bytes:
    """A tar archive of members of any name and kind."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))) as archive:
        for _ in range(draw(st.integers(0, 4))):
            member = tarfile.TarInfo(draw(inputs.names(outside)) + draw(st.sampled_from(["", ".png", ".cls", ".json", ".txt"])))
            member.type = draw(
                st.sampled_from(
                    [tarfile.REGTYPE, tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
                )
            )
            member.linkname = draw(inputs.names(outside))
            content = draw(
                st.sampled_from(
                    [picture(), b"3", b"\xff\xfe", json.dumps({"label": 10**400, "source": [1], "NaN": None}).encode(), b"[" * 100_000]
                )
            )
            member.size = len(content) if member.isfile() else 0
            try:
                archive.addfile(member, io.BytesIO(content) if member.isfile() else None)
            except (ValueError, UnicodeError):  # no tar can hold that name
                continue
    return buffer.getvalue()


@door("tar")
def tar(outside: Path) -> Door:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("cat/0.png", "dog/1.png"):
            member = tarfile.TarInfo(name)
            member.size = len(picture())
            archive.addfile(member, io.BytesIO(picture()))
    packed = inputs.damaged([buffer.getvalue()]).map(lambda content: ("x.tar.gz", content))
    made = st.one_of(tars(outside), tars(outside).flatmap(lambda content: inputs.damaged([content]))).map(
        lambda content: ("x.tar", content)
    )
    return Door(st.one_of(packed, made), lambda folder, given: (folder / given[0]).write_bytes(given[1]), imported)


@door("metadata")
def metadata(outside: Path) -> Door:
    """metadata.csv and .jsonl beside images."""

    def put(folder: Path, given: tuple[str, bytes]) -> None:
        for name in ("0.png", "1.png"):
            (folder / name).write_bytes(picture())
        (folder / given[0]).write_bytes(given[1])

    cell = st.one_of(st.sampled_from(["0.png", "1.png", "", "1", "0.5"]), inputs.names(outside)).map(printable)
    head = st.lists(
        st.one_of(st.sampled_from(["file_name", "label", "anchor_id"]), inputs.names(outside).map(printable)), min_size=1, max_size=4
    )
    csv = st.builds(
        lambda head, rows: "\n".join(",".join(row) for row in [head, *rows]).encode(),
        head,
        st.lists(st.lists(cell, max_size=4), max_size=4),
    )
    row = st.dictionaries(st.one_of(st.just("file_name"), inputs.names(outside)), inputs.plain(outside), max_size=3)
    lines = st.lists(st.one_of(row, row.map(lambda each: each | {"file_name": "0.png"})), max_size=3).map(
        lambda rows: "\n".join(map(json.dumps, rows)).encode()
    )
    seed = b"file_name,label,score\n0.png,cat,1\n1.png,dog,2\n"
    return Door(
        st.one_of(
            st.tuples(st.just("metadata.csv"), st.one_of(csv, inputs.damaged([seed]))),
            st.tuples(st.just("metadata.jsonl"), st.one_of(lines, inputs.damaged([b'{"file_name": "0.png", "a": 1}\n']))),
        ),
        put,
        imported,
    )


@door("list")
def lists(outside: Path) -> Door:
    def put(folder: Path, given: tuple[str, bytes]) -> None:
        (folder / "a").mkdir()
        (folder / "a" / "0.png").write_bytes(picture())
        (folder / given[0]).write_bytes(given[1])

    def read(folder: Path, given: tuple[str, bytes]) -> None:
        found = dataset["synis"](folder, "test") if given[0].startswith("cov") else dataset["imglist"](folder / given[0], "test")
        found.pixels(8)

    line = st.one_of(
        st.sampled_from(["a/0.png 0", "a/0.png -1", "a/0.png", "a/0.png 99999999999999999999", "a/0.png 50000000"]), inputs.names(outside)
    )
    text = st.lists(line, max_size=5).map(lambda lines: "\n".join(lines).encode(errors="surrogatepass"))
    name = st.sampled_from(["list.txt", "cov_0_sem_0.txt", "cov_99_sem_0.txt", f"cov_{'9' * 100}_sem_1.txt"])
    return Door(st.tuples(name, st.one_of(text, inputs.damaged([b"a/0.png 0\n"]))), put, read)
