"""Archives from strangers."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from badood.core.errors import BadInput
from badood.data import dataset
from badood.data.unpack import unpack_images


def png(value: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(names: list[str]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, png())
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("around", ["", "photos/", "a/photos/"])
@pytest.mark.parametrize("separator", ["/", "\\"])
def test_a_folder_around_all_and_either_separator_give_the_same_classes(tmp_path: Path, around: str, separator: str) -> None:
    names = [f"{around}{'ab'[number % 2]}/{number}.png" for number in range(6)]
    others = [f"__MACOSX/{around}a/._0.png", f"{around}.DS_Store", f"{around}@eaDir/0.png", f"{around}notes.txt"]
    assert unpack_images(zipped([name.replace("/", separator) for name in [*names, *others]]), tmp_path) == 6
    images = dataset["folder"](tmp_path, "test", holdout=0)
    assert images.classes == ("a", "b")
    assert len(images) == 6


@pytest.mark.parametrize(
    "name", ["../0.png", "a/../../0.png", "..\\0.png", "a\\..\\..\\0.png", "/etc/0.png", "\\etc\\0.png", "C:\\0.png", "C:0.png"]
)
def test_entries_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(BadInput, match="leads outside its folder"):
        unpack_images(zipped(["a/0.png", name]), folder)
    assert not list(folder.iterdir())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from("ab./\\:é"), min_size=1, max_size=8).map(lambda name: f"{name}.png"), min_size=1, max_size=4, unique=True
    )
)
def test_nothing_is_ever_written_outside(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    top = tmp_path_factory.mktemp("top")
    (top / "in").mkdir()
    try:
        count = unpack_images(zipped(names), top / "in")
    except BadInput:
        count = 0
    assert [each.name for each in top.iterdir()] == ["in"]
    assert len([each for each in (top / "in").rglob("*") if each.is_file()]) == count


def test_links_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("a/0.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(BadInput, match="leads outside its folder"):
        unpack_images(buffer, tmp_path)


@pytest.mark.parametrize("names", [["a.png", "a.png/b.png"], ["a/" + 300 * "x" + ".png"]])
def test_names_that_no_disk_takes_are_told(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(BadInput, match="a name that no disk takes"):
        unpack_images(zipped(names), tmp_path)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8), st.integers(0, 300))
def test_a_damaged_archive_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], cut: int
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a/0.png", "b/1.png"):
            archive.writestr(name, bytes(range(256)) * 4)
    content = bytearray(buffer.getvalue())
    for place, value in damage:
        content[place % len(content)] = value
    folder = tmp_path_factory.mktemp("damaged")
    said = ""
    try:
        unpack_images(io.BytesIO(content[: len(content) - cut] if cut < 100 else content), folder)
    except BadInput as error:
        said = str(error)
    assert "\n" not in said


def test_an_archive_without_its_beginning_is_refused(tmp_path: Path) -> None:
    sound = zipped(["a/0.png", "a/1.png"]).getvalue()
    with pytest.raises(BadInput, match="the beginning is missing"):
        unpack_images(io.BytesIO(sound[1:]), tmp_path)
