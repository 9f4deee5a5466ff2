"""Images of other generators: the contract of a source, anchors, memory, and every bad input's message."""

import io
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from badood.core.errors import BadConfig, BadInput
from badood.data.images import MAX_PIXELS
from badood.outliers import outlier_source, source
from badood.outliers.imported import Imported, column_names

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def save(file: Path, row: int = 0, size: tuple[int, int] | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(PIXELS[row])
    (image.resize(size) if size else image).save(file)


def messages(found: Any) -> str:
    return " ".join(entry.reason for entry in found.skipped())


def test_it_is_registered() -> None:
    made = outlier_source.make("imported", {"path": "x", "limit": 5, "resampling": "lanczos"})
    assert isinstance(made, Imported)
    for wrong in ({"limit": 0}, {"resampling": "nearest"}):
        with pytest.raises(BadConfig):
            outlier_source.make("imported", {"path": "x"} | wrong)


def test_any_row_is_the_same_wherever_one_begins(tmp_path: Path, given: Any, gathered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in range(12):
        save(tmp_path / f"{row}.png", row)
    (tmp_path / "3.png").write_bytes(b"0123456789")
    (tmp_path / "7.png").write_bytes((tmp_path / "6.png").read_bytes()[:-40])
    whole = gathered(Imported(str(tmp_path)))
    monkeypatch.setattr("badood.outliers.imported.GROUP", 4)
    assert [len(group.images) for group in Imported(str(tmp_path)).groups(given(), 0)] == [4, 4, 2]
    for first in range(10):
        again = gathered(Imported(str(tmp_path)), first=first)
        np.testing.assert_array_equal(again.images, whole.images[first:])
        for name, values in again.columns.items():
            np.testing.assert_array_equal(values, whole.columns[name][first:])
    assert not list(Imported(str(tmp_path)).groups(given(), 10))
    assert {entry.path for entry in Imported(str(tmp_path)).skipped()} == {"3.png", "7.png"}


def test_a_limit_is_spread_evenly_and_leaves_bad_ones_out(tmp_path: Path, gathered: Any) -> None:
    for row in range(12):
        save(tmp_path / f"{row}.png", row)
    (tmp_path / "5.png").write_bytes(b"")
    limited = Imported(str(tmp_path), limit=3)
    assert gathered(limited).columns["file"].tolist() == ["0.png", "11.png"]
    assert [entry.path for entry in limited.skipped()] == ["5.png"]
    assert len(gathered(Imported(str(tmp_path), limit=100)).images) == 11


@pytest.mark.parametrize("resampling", ["bicubic", "bilinear", "lanczos", "box"])
def test_images_come_to_their_size_by_one_resampling(tmp_path: Path, gathered: Any, given: Any, resampling: str) -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 64, 3), dtype=np.uint8))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "b.webp", lossless=True)
    picture.save(tmp_path / "c.jpg", quality=100, subsampling=0)
    found = gathered(Imported(str(tmp_path), resampling=resampling), given(size=16))
    expected = np.asarray(picture.crop((12, 0, 52, 40)).resize((16, 16), Image.Resampling[resampling.upper()]))
    np.testing.assert_array_equal(found.images[0].transpose(1, 2, 0), expected)
    np.testing.assert_array_equal(found.images[1], found.images[0])
    assert np.abs(found.images[2].astype(int) - found.images[0]).max() <= 8
    assert found.columns["width"].tolist() == [64] * 3
    assert found.columns["height"].tolist() == [40] * 3
    assert found.columns["encoding"].tolist() == ["png", "webp", "jpeg"]


def test_an_edited_image_is_found_by_its_name(tmp_path: Path, gathered: Any, given: Any) -> None:
    for row, name in enumerate(["cat/n1_10.png", "dog/n1_10.png", "n1_22.png", "n9_99.png", "cat/7.png", "7.png", "cat/new.png"]):
        save(tmp_path / name, row)
    known = given(
        *(("train/cat/n1_10.JPEG", "cat"), ("train/dog/n1_10.JPEG", "dog"), ("train/dog/n1_22.JPEG", "dog")),
        *(("train/cat/7.JPEG", "cat"), ("cifar10/train/99", "cat"), ("part-0.parquet#5", "cat")),
    )
    found = gathered(Imported(str(tmp_path)), known)
    anchors = dict(zip(found.columns["file"], zip(found.columns["anchor_row"], found.columns["anchor_class"], strict=True), strict=True))
    assert anchors == {
        "cat/n1_10.png": (0, "cat"),
        "dog/n1_10.png": (1, "dog"),
        "n1_22.png": (2, "dog"),
        "n9_99.png": (-1, ""),
        "cat/7.png": (3, "cat"),  # the same folder and name
        "7.png": (-1, ""),  # a number alone is a count
        "cat/new.png": (-1, ""),  # the class alone makes no anchor
    }
    assert dict(zip(found.columns["file"], found.columns["anchor_id"], strict=True))["n1_22.png"] == "train/dog/n1_22.JPEG"
    assert dict(zip(found.columns["file"], found.columns["class_name"], strict=True))["cat/new.png"] == "cat"


def test_a_name_that_two_id_images_have_is_no_anchor(tmp_path: Path, gathered: Any, given: Any) -> None:
    save(tmp_path / "n1_10.png")
    found = gathered(Imported(str(tmp_path)), given(("cat/n1_10.png", "cat"), ("dog/n1_10.png", "dog"), ("owl/n1_10.png", "owl")))
    assert found.columns["anchor_row"].tolist() == [-1]


def test_rows_of_tables_are_not_met_by_count(tmp_path: Path, gathered: Any, given: Any) -> None:
    for row in range(3):
        save(tmp_path / f"train-00000-of-00004_{row}.png", row)
        save(tmp_path / f"{row}.png", row)
    known = given(
        *((f"cifar10/train/{row}", "cat") for row in range(3)), *((f"train-00000-of-00004.parquet#{row}", "cat") for row in range(3))
    )
    assert set(gathered(Imported(str(tmp_path)), known).columns["anchor_row"]) == {-1}


def test_a_column_says_the_anchor(tmp_path: Path, gathered: Any, given: Any) -> None:
    for row in range(3):
        save(tmp_path / f"{row}.png", row)
    (tmp_path / "metadata.csv").write_text("file_name,anchor\n0.png,cifar10/train/1\n1.png,n1_7.png\n2.png,elsewhere\n")
    found = gathered(Imported(str(tmp_path)), given(("cifar10/train/0", "cat"), ("cifar10/train/1", "dog"), ("cat/n1_7.JPEG", "cat")))
    assert found.columns["anchor_row"].tolist() == [1, 2, -1]
    assert found.columns["anchor_id"].tolist() == ["cifar10/train/1", "cat/n1_7.JPEG", "elsewhere"]
    assert found.columns["anchor_class"].tolist() == ["dog", "cat", ""]


def test_the_fingerprint_follows_the_files_and_not_the_path(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for row in range(3):
            save(tmp_path / name / f"{row}.png", row)
            os.utime(tmp_path / name / f"{row}.png", ns=(0, 10**9 * row))
    first = Imported(str(tmp_path / "a")).fingerprint()
    assert first == Imported(str(tmp_path / "b")).fingerprint()
    os.utime(tmp_path / "b" / "1.png", ns=(0, 5))
    touched = Imported(str(tmp_path / "b")).fingerprint()
    (tmp_path / "b" / "2.png").rename(tmp_path / "b" / "4.png")
    assert len({first, touched, Imported(str(tmp_path / "b")).fingerprint()}) == 3
    np.save(tmp_path / "x.npy", PIXELS)
    before = Imported(str(tmp_path / "x.npy")).fingerprint()
    np.save(tmp_path / "x.npy", PIXELS[:5])
    assert before != Imported(str(tmp_path / "x.npy")).fingerprint()


def test_one_image_is_enough(tmp_path: Path, gathered: Any) -> None:
    save(tmp_path / "a" / "1.png")
    for path in (tmp_path, tmp_path / "a" / "1.png"):
        made = Imported(str(path))
        made.check()
        assert len(gathered(made).images) == 1


def write(layout: str, folder: Path, count: int) -> Path:
    """`count` images of 32 px in a layout."""
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)

    def encoded(row: int) -> bytes:
        out = io.BytesIO()
        Image.fromarray(images[row]).save(out, "PNG", compress_level=0)
        return out.getvalue()

    path = folder / f"{count}{layout}"
    if layout == ".npy":
        np.save(path, images)
    elif layout == ".npz":
        np.savez_compressed(path, x=images.transpose(0, 3, 1, 2))
    elif layout == ".parquet":
        pd.DataFrame({"image": [encoded(row) for row in range(count)]}).to_parquet(path)
    elif layout in (".tar", ".tar.gz"):
        with webdataset.TarWriter(str(path)) as sink:
            for row in range(count):
                sink.write({"__key__": f"{row:06d}", "png": encoded(row), "cls": row % 10})
    else:
        for row in range(count):
            file = path / str(row % 10) / f"thing_{row:05d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(row))
    return path


MEASURE = """
import sys, tracemalloc
import numpy as np, pyarrow as pa, torch
from badood.core.compute import Compute
from badood.core.progress import Silent
from badood.outliers import imported
from badood.outliers.source import Given

imported.GROUP = 250  # several groups of either number
given = Given(32, Compute(torch.device("cpu"), torch.float32), Silent(), np.zeros(0, dtype=np.int64), ["cat", "dog"], [])
tracemalloc.start()
made, seen, arrow = imported.Imported(sys.argv[1]), 0, 0
made.check()
for group in made.groups(given, 0):
    seen += len(group.images)
    arrow = max(arrow, pa.total_allocated_bytes())
print(seen, (tracemalloc.get_traced_memory()[1] + arrow) / 2**20)
"""
"""In a process of its own: what other tests' threads allocate at the same time is no memory of this one."""


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["", ".npy", ".npz", ".parquet", ".tar", ".tar.gz"])
def test_ten_times_the_images_take_no_more_memory(tmp_path: Path, layout: str) -> None:
    peaks = {}
    for count in (1_000, 10_000):
        command = [sys.executable, "-c", MEASURE, str(write(layout, tmp_path, count))]
        seen, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert int(seen) == count
        peaks[count] = float(peak)
    print(f"{layout or 'folder'}: {peaks[1_000]:.1f} MiB of 1,000 images, {peaks[10_000]:.1f} of 10,000")
    # 9,000 more images are 26 MiB of pixels; their names may stay
    assert peaks[10_000] < peaks[1_000] + 13


def bad(path: Path, match: str) -> None:
    with pytest.raises(BadInput, match=match) as told:
        Imported(str(path)).check()
    assert str(path) in str(told.value) or path.name in str(told.value)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    save(tmp_path / "outliers" / "1.png")
    bad(tmp_path / "outlier", r"does not exist; did you mean .*outliers\?")
    bad(tmp_path / "zzz" / "deep", "does not exist; in .* lie outliers; check the path")
    (tmp_path / "empty").mkdir()
    bad(tmp_path / "empty", "is empty; give images, ")
    bad(tmp_path / "empty" / "x", "does not exist; .*empty is empty")
    with pytest.raises(BadInput, match=r"cannot be read|does not exist"):
        Imported("a\0b").check()


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    bad(tmp_path, r"holds nothing that is read \(1 .txt\); give images")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.png", "x")
    bad(tmp_path / "a.zip", "is an archive; unpack it and give the folder")
    bad(tmp_path, "is an archive; unpack it")
    (tmp_path / "images.pkl").write_bytes(pickle.dumps([1]))
    bad(tmp_path / "images.pkl", "is a pickle, which can run code")


def test_two_layouts_at_once_are_asked_about(tmp_path: Path) -> None:
    save(tmp_path / "teaser.png")
    pd.DataFrame({"image": [b"x"]}).to_parquet(tmp_path / "x.parquet")
    bad(tmp_path, r"holds 1 images \(teaser.png\) and 1 parquet files \(x.parquet\); give the path")


def test_files_that_are_no_images(tmp_path: Path) -> None:
    for row in range(3):
        (tmp_path / f"{row}.png").write_bytes(b"0123456789")
    bad(tmp_path, r"a folder of images\): none of 3 images can be read; 0.png is not an image of a known format")
    save(tmp_path / "9.png")
    Imported(str(tmp_path)).check()


def test_an_image_that_is_too_large(tmp_path: Path) -> None:
    Image.new("1", (9_000, 9_000)).save(tmp_path / "huge.png")
    bad(tmp_path, f"huge.png has 9000 x 9000 px; at most {MAX_PIXELS:,}")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    bad(tmp_path, f"huge.png has more than the {MAX_PIXELS:,} px")
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**30)
    bad(tmp_path, "huge.png is not an image")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((4, 8, 8), np.uint8), r"has the shape \(4, 8, 8\), expected \(N, H, W, 3\)"),
        (np.zeros((8, 8, 3), np.uint8), r"of one image, .* save images\[None\]"),
        (np.zeros((4, 8, 8, 4), np.uint8), r"has the shape \(4, 8, 8, 4\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), "holds no image"),
        (np.zeros((4, 0, 8, 3), np.uint8), "holds no image"),
        (np.zeros((4, 8, 8, 3), np.int64), "is of type int64, .*astype"),
        (np.zeros((4, 8, 8, 3), bool), "is of type bool"),
        (np.zeros((4, 8, 8, 3), "M8[s]"), "is of type datetime64"),
        (np.full((4, 8, 8, 3), 200.0), r"values from 200 to 200, .* save x rounded"),
        (np.linspace(-1, 1, 4 * 192).reshape(4, 8, 8, 3), r"save \(x \+ 1\) \* 127.5 rounded"),
        (np.full((4, 8, 8, 3), np.nan), "no finite numbers"),
        (np.asfortranarray(np.zeros((4, 8, 8, 3), np.uint8)), "column by column; save numpy.ascontiguousarray"),
        (np.broadcast_to(np.uint8(0), (1, 9000, 9000, 3)), "9000 x 9000 px; at most"),
        (np.array([{"a": 1}], dtype=object), "holds Python objects"),
    ],
)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_that_are_no_images(tmp_path: Path, array: Any, match: str, ending: str) -> None:
    file = tmp_path / f"x.{ending}"
    np.save(file, array) if ending == "npy" else np.savez_compressed(file, x=array)
    bad(file, match)


def test_arrays_that_are_broken_or_hostile(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "hacked",))

    (tmp_path / "a.npy").write_bytes(pickle.dumps(Hostile()))
    bad(tmp_path / "a.npy", "a pickle, which can run code and is not read")
    np.save(tmp_path / "b.npy", np.array([Hostile()], dtype=object))
    (tmp_path / "hacked").unlink(missing_ok=True)
    bad(tmp_path / "b.npy", "holds Python objects, which can run code")
    np.savez(tmp_path / "c.npz", one=PIXELS, two=PIXELS)
    bad(tmp_path / "c.npz", "has the arrays one, two; call the one with the images x or images or arr_0")
    (tmp_path / "d.npz").write_bytes(b"PK\x03\x04" + bytes(40))
    bad(tmp_path / "d.npz", "d.npz cannot be read .*File is not a zip file")
    np.save(tmp_path / "e.npy", PIXELS)
    (tmp_path / "e.npy").write_bytes((tmp_path / "e.npy").read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"e.npy ends within image 11 of 12; restore it"):
        Imported(str(tmp_path / "e.npy")).check()
    (tmp_path / "f.npy").write_bytes(b"")
    bad(tmp_path / "f.npy", "is no array of numpy's")
    np.savez(tmp_path / "g.npz")
    bad(tmp_path / "g.npz", r"has the arrays \(none\)")
    assert not (tmp_path / "hacked").exists()


def test_tars_that_are_broken_or_hostile(tmp_path: Path) -> None:
    def archive(name: str, member: tarfile.TarInfo) -> Path:
        with tarfile.open(tmp_path / name, "w") as made:
            member.size = 10 if member.isfile() else 0
            made.addfile(member, io.BytesIO(b"0123456789"))
        return tmp_path / name

    link = tarfile.TarInfo("a.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard = tarfile.TarInfo("a.png")
    hard.type, hard.linkname = tarfile.LNKTYPE, "b.png"
    pipe = tarfile.TarInfo("a.png")
    pipe.type = tarfile.FIFOTYPE
    bad(archive("up.tar", tarfile.TarInfo("cat/../../x.png")), r"member 'cat/../../x.png' leads outside")
    bad(archive("windows.tar", tarfile.TarInfo("..\\x.png")), "leads outside")
    bad(archive("absolute.tar", tarfile.TarInfo("/etc/x.png")), "member '/etc/x.png' leads outside the archive; pack it again")
    bad(archive("link.tar", link), "member 'a.png' is a link; pack the images themselves")
    bad(archive("hard.tar", hard), "is a link")
    bad(archive("pipe.tar", pipe), "is no plain file")
    bad(archive("ten.tar", tarfile.TarInfo("a.png")), "none of 1 images can be read; a.png is not an image")
    bad(archive("none.tar", tarfile.TarInfo("a.txt")), "none of 0 images can be read; it has no rows")
    (tmp_path / "text.tar").write_text("no archive" * 200)
    bad(tmp_path / "text.tar", "text.tar cannot be read .*restore it")
    whole = write(".tar.gz", tmp_path, 20)
    whole.write_bytes(whole.read_bytes()[:-2000])
    bad(whole, "20.tar.gz cannot be read")
    plain = write(".tar", tmp_path, 20)
    plain.write_bytes(plain.read_bytes()[:-25_000])
    bad(plain, "20.tar cannot be read .*unexpected end of data")
    assert not (tmp_path / "x.png").exists()


def test_a_member_of_a_gigabyte_is_not_taken_into_memory(tmp_path: Path, gathered: Any) -> None:
    save(tmp_path / "a.png", 4)
    header = tarfile.TarInfo("huge.png")
    header.size = 2**30
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "a.png", "a.png")
        end = archive.offset
    with (tmp_path / "x.tar").open("r+b") as file:  # sparse on disk
        file.seek(end)
        file.write(header.tobuf())
        file.truncate(file.tell() + header.size + 1024)
    made = Imported(str(tmp_path / "x.tar"))
    assert gathered(made).columns["file"].tolist() == ["a.png"]
    assert "huge.png has 1,024 MB; at most 256 are read" in messages(made)


def test_parquet_that_is_broken_or_holds_no_images(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pd.DataFrame({"image": [b"x"], "n": [1]}).to_parquet(tmp_path / "a" / "0.parquet")
    bad(tmp_path / "a", "0.parquet: the bytes of the column 'image' are no images")
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "n.parquet")
    bad(tmp_path / "n.parquet", r"n.parquet has no image column \(columns: n\)")
    (tmp_path / "b").mkdir()
    image = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(image, "PNG")
    for shard in range(2):
        pd.DataFrame({"image": [image.getvalue()]}).to_parquet(tmp_path / "b" / f"{shard}.parquet")
    second = tmp_path / "b" / "1.parquet"
    second.write_bytes(second.read_bytes()[:-20])
    with pytest.raises(BadInput, match=r"1.parquet"):
        Imported(str(tmp_path / "b")).check()
    pq.write_table(pa.table({"image": pa.array([[image.getvalue()]])}), tmp_path / "lists.parquet")
    bad(tmp_path / "lists.parquet", "lists")


def test_metadata_that_does_not_say_its_files(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    (tmp_path / "metadata.csv").write_text("name,label\n1.png,cat\n")
    bad(tmp_path, r"metadata.csv has no column file_name .*\(columns: name, label\); rename the column")
    (tmp_path / "metadata.csv").write_bytes(b"file_name\n\xff\xfe\n")
    bad(tmp_path, "metadata.csv cannot be read .*write it as UTF-8")
    (tmp_path / "metadata.csv").write_text("")
    bad(tmp_path, "metadata.csv cannot be read")
    (tmp_path / "metadata.csv").write_text("file_name\n2.png\n")
    bad(tmp_path, "none of 0 images can be read; 2.png is listed in metadata.csv and does not lie")
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "1.png"\n')
    bad(tmp_path, "metadata.jsonl cannot be read")


def test_a_file_that_vanishes_is_named(tmp_path: Path, given: Any) -> None:
    np.save(tmp_path / "x.npy", PIXELS)
    made = Imported(str(tmp_path / "x.npy"))
    made.check()
    (tmp_path / "x.npy").unlink()
    with pytest.raises(BadInput, match=r"x.npy cannot be read .*restore it"):
        list(made.groups(given(), 0))
    with pytest.raises(BadInput, match=r"x.npy"):
        made.fingerprint()


def test_groups_are_no_larger_than_agreed() -> None:
    assert source.GROUP == 1024


def test_columns_are_called_so_that_a_database_tells_them_apart() -> None:
    called = column_names(["score", "Score", "", "row", "OUTLIER_ID", "file", "File", "imported_row"])
    assert called["score"] == "score"
    assert called["file"] == "file"
    assert len({name.casefold() for name in called.values()}) == len(called)
    assert not {"", "row", "outlier_id"} & {name.casefold() for name in called.values()}


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([b"x"]), pa.array([1]), pa.array([2])], names=["image", "a", "a"])
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(BadInput, match="has two columns 'a'; rename one"):
        Imported(str(tmp_path)).check()
