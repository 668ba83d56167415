"""JPEGs that stray from the standard where no pixel is touched: Pillow's pixels, and a note."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from darter.picture import PictureError, decode, open_pixels
from tests.picture.odd_files import jpeg, odd_scan, picture

PHOTO = picture(np.random.default_rng(0), 203, 151)
KINDS_OF_JPEG = {
    "color": {},
    "4:4:4": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 7},
    "progressive": {"progressive": True},
    "grey": {"mode": "L"},
    "CMYK": {"mode": "CMYK"},
    "progressive CMYK": {"mode": "CMYK", "progressive": True},
}
every_kind = pytest.mark.parametrize("kind", KINDS_OF_JPEG)


def made(kind):
    options = dict(KINDS_OF_JPEG[kind])
    return jpeg(PHOTO.convert(options.pop("mode", "RGB")), **options)


def pillow(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def read_as_pillow(content, *notes):
    found = decode(content)
    np.testing.assert_array_equal(found.pixels, pillow(content))
    assert set(notes) <= set(found.notes)
    parts = open_pixels(content)
    if not isinstance(parts, np.ndarray):
        parts = parts.decode((0, 0, *parts.size))
    np.testing.assert_array_equal(parts, pillow(content))


@every_kind
@pytest.mark.parametrize("count", [1, 5, 199, 5000])
def test_bytes_before_the_end_mark(kind, count):
    if kind == "progressive CMYK":
        pytest.skip("its warning cannot be told from damage")
    content = made(kind)[:-2] + b"\x55" * count + b"\xff\xd9"
    read_as_pillow(content, *(("extra bytes",) if count > 8 else ()))


@pytest.mark.parametrize("kind", [k for k in KINDS_OF_JPEG if "progressive" not in k])
def test_scan_parameters(kind):
    read_as_pillow(odd_scan(made(kind)), *(() if kind == "CMYK" else ("odd JPEG header",)))


@pytest.mark.parametrize(("across", "down"), [(2, 2), (1, 4), (4, 1)])
def test_four_blocks_of_luma_in_any_order(across, down):
    """4:2:0, 4:1:1, and 4:4:1, which is 4:1:1 turned without decoding."""
    content = bytearray(jpeg(PHOTO.resize((96, 64)), subsampling=2))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 4 * 8 * down, 6 * 8 * across)
    content[at + 11] = across << 4 | down
    read_as_pillow(bytes(content))
    del content[-300:-2]
    with pytest.raises(PictureError, match=r"damaged|truncated"):
        decode(bytes(content))


@every_kind
def test_damage_is_damage(kind):
    content = made(kind)
    middle = len(content) * 3 // 4
    for wrong in (
        content[:middle] + b"\xff\xd3" * 20 + content[middle + 40 :],
        content[:middle] + content[-2:],
        odd_scan(content)[:middle] + content[-2:],
    ):
        with pytest.raises(PictureError, match=r"damaged|truncated"):
            decode(wrong)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_in_xmp(turn):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="%d"/></x:xmpmeta>' % turn
    content = jpeg(PHOTO, xmp=xmp)
    expected = np.asarray(decode(jpeg(PHOTO)).pixels)
    turned = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90,
    }[turn](expected)  # fmt: skip
    np.testing.assert_array_equal(decode(content).pixels, turned)
    pixels = open_pixels(content)
    assert turn == 1 or np.array_equal(pixels, turned)
    exif = Image.Exif()
    exif[0x0112] = 1  # EXIF has the word
    assert np.array_equal(decode(jpeg(PHOTO, xmp=xmp, exif=exif)).pixels, expected)
