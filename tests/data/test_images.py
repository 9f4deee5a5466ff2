"""Hostile and unusual image files."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from badood.core.errors import BadInput
from badood.data.images import check, check_files, decode


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(size: tuple[int, int] = (40, 24)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, (200, 20, 20))
    image.paste((20, 20, 200), (size[0] // 2, 0, *size))
    return image


def huge_png(side: int) -> bytes:
    """A PNG whose header promises side x side pixels and whose data are a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_every_format_gives_the_same_picture(kind: str) -> None:
    pixels = decode(encoded(scene(), kind, **({"lossless": True} if kind == "WEBP" else {})), "x")
    assert pixels.shape == (24, 40, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[12, 5], (200, 20, 20), atol=6)
    np.testing.assert_allclose(pixels[12, 35], (20, 20, 200), atol=6)


def test_cmyk_becomes_rgb() -> None:
    pixels = decode(encoded(scene().convert("CMYK"), "JPEG", quality=95), "x")
    assert pixels[12, 5, 0] > 150 > 90 > pixels[12, 5, 2]


def test_palette_becomes_rgb() -> None:
    np.testing.assert_allclose(decode(encoded(scene().quantize(8), "PNG"), "x")[12, 5], (200, 20, 20), atol=3)


def test_sixteen_bits_are_scaled_by_their_range() -> None:
    grey = np.linspace(0, 2**16 - 1, 256, dtype=np.uint16).reshape(16, 16)
    pixels = decode(encoded(Image.fromarray(grey), "PNG"), "x")
    np.testing.assert_array_equal(pixels[..., 0], (grey >> 8).astype(np.uint8))


def test_a_dark_sixteen_bit_image_stays_dark() -> None:
    assert decode(encoded(Image.fromarray(np.full((4, 4), 512, np.uint16)), "PNG"), "x").max() == 2


@pytest.mark.parametrize("kind", [np.uint16, np.int32])
def test_integers_that_fit_eight_bits_are_eight_bit_values(kind: type) -> None:
    values = np.arange(256, dtype=kind).reshape(16, 16)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(values), "TIFF"), "x")[..., 0], values)


@given(hnp.arrays(np.int32, (3, 4), elements=st.integers(-(2**31), 2**31 - 1)), st.sampled_from([8, 16, 31]))
def test_deep_grey_keeps_the_order_of_its_values(values: np.ndarray, bits: int) -> None:
    values = values if bits == 31 else values % 2**bits
    grey = decode(encoded(Image.fromarray(values), "TIFF"), "x")[..., 0]
    order = np.argsort(values, axis=None, kind="stable")
    assert (np.diff(grey.ravel()[order].astype(int)) >= 0).all()
    if values.min() >= 0 and values.max() < 256:
        np.testing.assert_array_equal(grey, values)


def test_a_grey_image_of_one_value_keeps_it() -> None:
    assert (decode(encoded(Image.fromarray(np.full((4, 4), 127.0, np.float32)), "TIFF"), "x") == 127).all()


def test_floating_point_tiff_is_stretched_over_the_range() -> None:
    pixels = decode(encoded(Image.fromarray(np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8)), "TIFF"), "x")
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    options = {"transparency": 0} if mode == "P" else {}
    content = encoded(Image.new("P", (8, 8), 0) if mode == "P" else image.convert(mode), "PNG", **options)
    assert (decode(content, "x") == 255).all()


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter clockwise
    pixels = decode(encoded(scene(), "JPEG", exif=exif.tobytes(), quality=95), "x")
    assert pixels.shape == (40, 24, 3)
    assert pixels[5, 12, 0] > 150
    assert pixels[35, 12, 2] > 150


def test_first_frame_of_an_animation_is_taken_and_named(caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert check(content, "film.gif") is None
    assert "film.gif" in caplog.text
    assert decode(content, "film.gif")[0, 0].tolist() == [255, 0, 0]


def test_gigapixel_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(BadInput, match=r"big\.png.*px"):
        decode(huge_png(30_000), "big.png")
    with pytest.raises(BadInput, match=r"big\.png has 9000 x 9000 px"):
        decode(huge_png(9_000), "big.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"not an image", huge_png(4)[:44]])
def test_what_is_no_image_is_named_with_a_remedy(content: bytes) -> None:
    with pytest.raises(BadInput, match=r"odd\.png .*(restore|convert|delete)"):
        decode(content, "odd.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_check_finds_a_truncated_file(kind: str) -> None:
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    content = encoded(noisy, kind)
    assert check(content, "x") is None
    fault = check(content[: len(content) // 2], "x")
    assert fault is not None
    assert fault.path == "x"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF"]), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8)
)
def test_a_damaged_file_is_decoded_or_refused_and_check_foresees_which(kind: str, damage: list[tuple[int, int]]) -> None:
    content = bytearray(encoded(scene(), kind))
    for place, value in damage:
        content[place % len(content)] = value
    if check(bytes(content), "x") is None:
        assert decode(bytes(content), "x").dtype == np.uint8
    else:
        with pytest.raises(BadInput):
            decode(bytes(content), "x")


def test_a_missing_file_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    scene().save(tmp_path / "good.png")
    good, missing = check_files([tmp_path / "good.png", tmp_path / "gone.png"])
    assert good is None
    assert missing is not None
    assert "gone.png" in missing.reason
