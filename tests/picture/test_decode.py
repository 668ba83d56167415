import struct
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from darter.errors import DataError
from darter.picture import KINDS, Picture, PictureError, decode
from tests.picture.odd_files import ODD, encoded, grey16, jpeg, picture, png, png16, turned

RNG = np.random.default_rng(0)
PHOTO = picture(RNG, 203, 151)


def pillow(content):
    from io import BytesIO

    return np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB"))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_equals_pillow(mode, options):
    content = jpeg(PHOTO.convert(mode), **options)
    assert np.array_equal(decode(content).pixels, pillow(content))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_every_format(format, orientation):
    content = encoded(PHOTO, format, exif=turned(orientation))
    found = decode(content)
    assert np.array_equal(found.pixels, pillow(content))
    assert found.size == (found.pixels.shape[1], found.pixels.shape[0])
    assert ("EXIF-rotated" in found.notes) == (orientation > 1)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("min_side", "factor"),
    [(None, 1), (200, 1), (151, 1), (76, 1), (75, 2), (37, 4), (18, 8), (1, 8)],
)
def test_min_side_scales_by_powers_of_two(min_side, factor, orientation):
    content = jpeg(PHOTO, exif=turned(orientation))
    found = decode(content, min_side=min_side)
    expected = (-(-151 // factor), -(-203 // factor))
    assert found.pixels.shape[:2] == (expected if orientation == 1 else expected[::-1])
    assert found.size == ((203, 151) if orientation == 1 else (151, 203))
    assert min_side is None or factor == 1 or min(found.pixels.shape[:2]) >= min_side


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.array([[0, 128, 129, 32768, 65535]], np.uint16)
    found = decode(encoded(Image.fromarray(values), "PNG"))
    assert found.pixels[0, :, 0].tolist() == [0, 0, 1, 128, 255]  # round(v / 257)
    assert found.notes == ("16-bit",)


def test_sixteen_bit_color_and_tiff_agree_with_eight():
    rng = np.random.default_rng(5)
    eight = np.asarray(picture(np.random.default_rng(5)))
    assert np.array_equal(decode(png16(rng)).pixels, eight)
    grey = np.asarray(picture(np.random.default_rng(5)).convert("L"))
    for format in ("TIFF", "PNG", "PPM"):
        found = decode(encoded(grey16(np.random.default_rng(5)), format)).pixels
        assert np.array_equal(found[:, :, 1], grey)


def test_transparency_is_laid_on_white():
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    pixel = decode(encoded(half, "PNG")).pixels[0, 0].tolist()
    assert pixel == [255, 127, 127]
    marked = encoded(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert decode(marked).pixels[0, 0].tolist() == [255, 255, 255]


def test_cmyk_white_is_white():
    white = Image.new("CMYK", (32, 32), (0, 0, 0, 0))
    assert decode(jpeg(white)).pixels.min() >= 254


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    found = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert found.pixels[0, 0].tolist() == [255, 0, 0]
    assert "animated" in found.notes


def test_cap_is_checked_before_decoding():
    with pytest.raises(PictureError, match=r"203x151 is 0 million pixels, the limit is 0.03"):
        decode(jpeg(PHOTO), max_pixels=30_000)
    for content in (encoded(PHOTO, "PNG"), png(30_000, 30_000, 8, 2, b"")):
        with pytest.raises(PictureError, match="huge"):
            decode(content, max_pixels=30_000)


def test_error_names_the_file(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(jpeg(PHOTO)[:900])
    with pytest.raises(DataError, match=r"broken\.jpg: truncated: the JPEG file ends too early"):
        decode(path)
    with pytest.raises(PictureError, match="missing: no such file"):
        decode(tmp_path / "nowhere.png")
    with pytest.raises(PictureError, match="not a file: a folder, pipe, socket or device"):
        decode(tmp_path)


def test_png_with_a_wrong_checksum_is_damaged():
    content = bytearray(encoded(PHOTO, "PNG"))
    at = content.index(b"IDAT")
    length = struct.unpack(">I", content[at - 4 : at])[0]
    content[at + 4 + length] ^= 1
    with pytest.raises(PictureError, match="damaged: the PNG file has a wrong checksum"):
        decode(bytes(content))


def test_jpeg_without_its_last_scan_is_truncated():
    content = jpeg(PHOTO, progressive=True)
    scans = content.rindex(b"\xff\xda")
    with pytest.raises(PictureError, match="truncated"):
        decode(content[:scans])
    whole = jpeg(PHOTO)
    found = decode(whole[:-2])
    assert found.notes == ("no end marker",)
    assert np.array_equal(found.pixels, decode(whole).pixels)


def test_memory_error_is_a_finding(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(sys.modules["darter.picture.decode"], "_decode", exhausted)
    with pytest.raises(PictureError, match="huge: it does not fit into memory"):
        decode(b"anything")


CORPUS = [make(np.random.default_rng(1)) for _, make in ODD.values()]
CORPUS += [encoded(PHOTO, f) for f in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF")]
CORPUS += [encoded(PHOTO, "JPEG2000"), encoded(PHOTO, "TIFF", compression="tiff_lzw")]


@settings(deadline=None, max_examples=400)
@given(st.sampled_from([c for c in CORPUS if c]), st.data())
def test_mutated_content_gives_a_picture_or_a_picture_error(content, data):
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(
            st.integers(0, max(0, min(len(content), 300) - 1)) | st.integers(0, len(content))
        )
        match data.draw(st.sampled_from(["set", "cut", "insert", "delete"])):
            case "set" if at < len(content):
                content[at] = data.draw(st.integers(0, 255))
            case "cut":
                content = content[: at + 1]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "delete":
                del content[at : at + 8]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = decode(bytes(content), max_pixels=2_000_000)
        except PictureError as error:
            assert error.kind in KINDS and error.detail
            return
    assert isinstance(found, Picture)
    assert found.pixels.dtype == np.uint8 and found.pixels.shape[2] == 3
    assert found.pixels.size and found.pixels.flags.c_contiguous
    assert set(found.notes) <= set(KINDS)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(content):
    with pytest.raises(PictureError):
        decode(content)
