"""What the numbers of a file mean, by formula: TIFF, PNG and BMP of every kind that is read."""

import itertools

import numpy as np
import pytest

from darter.picture import PictureError, decode
from tests.picture.odd_files import bmp
from tests.picture.raw_files import chunk, png_of, tiff_of
from tests.picture.tiff_codecs import DEFLATE, NONE

SIZE = (6, 11)


def numbers(bits, channels=1, seed=0):
    """(H, W, channels), with the least and the largest."""
    values = np.random.default_rng(seed).integers(0, 1 << bits, (*SIZE, channels))
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    return values


def eight(values, bits):
    """round(v · 255 / white)"""
    white = (1 << bits) - 1
    return (values * 510 + white) // (2 * white)


def grey(values):
    return np.repeat(values, 3, axis=2)


def on_white(rgb, alpha):
    """Pillow's rounding of (rgb · alpha + 255 · (255 - alpha)) / 255."""
    from PIL import Image

    rgba = Image.fromarray(np.concatenate((rgb, alpha), axis=2).astype(np.uint8), "RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    found = np.array(Image.alpha_composite(white, rgba).convert("RGB")).astype(int)
    exact = (rgb * alpha + 255 * (255 - alpha)) / 255
    assert abs(found - exact).max() <= 1
    return found


def same(content, expected, *notes):
    found = decode(content)
    np.testing.assert_array_equal(found.pixels, expected)
    assert set(notes) <= set(found.notes)


# Pillow does not read big-endian BigTIFF.
TIFFS = [
    way
    for way in itertools.product("<>", (False, True), (False, True), (1, 4, 6))
    if way[:2] != (">", True)
]
every_tiff = pytest.mark.parametrize(("order", "big", "compressed", "rows"), TIFFS)


def way(order, big, compressed, rows):
    compression = DEFLATE if compressed else NONE
    return {"order": order, "big": big, "compression": compression, "rows_per_strip": rows}


@every_tiff
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_tiff(bits, white_is_zero, order, big, compressed, rows):
    values = numbers(bits)
    shown = (1 << bits) - 1 - values if white_is_zero else values
    content = tiff_of(values, bits, 0 if white_is_zero else 1, **way(order, big, compressed, rows))
    same(content, grey(eight(shown, bits)))


def test_grey_tiff_of_12_bits():
    values = numbers(12)
    values = np.concatenate((values, values[:, :1]), axis=1)  # whole bytes in each row
    same(tiff_of(values, 12, 1), grey(eight(values, 12)), "16-bit")


@every_tiff
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extra", [(), (0,), (1,), (2,)])
def test_color_tiff(extra, bits, planar, order, big, compressed, rows):
    if planar and not compressed and bits == 8 and extra in ((0,), (1,)):
        pytest.skip("Pillow does not read it")
    values = numbers(bits, 3 + len(extra))
    if extra == (1,):
        values[:, :, :3] = np.minimum(values[:, :, :3], values[:, :, 3:])
    content = tiff_of(
        values, bits, 2, extra=extra, planar=planar, **way(order, big, compressed, rows)
    )
    found = decode(content).pixels.astype(int)
    scaled = eight(values, bits)
    expected = scaled[:, :, :3]
    if extra == (2,):
        expected = on_white(expected, scaled[:, :, 3:])
    if extra == (1,):
        expected = expected + 255 - scaled[:, :, 3:]
    # Pillow divides by alpha in 8 bits; of compressed planes it gives the upper 8 bits.
    upper = bits == 16 and planar and compressed
    assert abs(found - expected).max() <= (extra == (1,)) + (1 + len(extra)) * upper


@every_tiff
def test_printing_tiff(order, big, compressed, rows):
    for bits in (8, 16):
        values = numbers(bits, 4)
        ink = eight(values, bits)
        expected = np.rint((255 - ink[:, :, :3]) * (255 - ink[:, :, 3:]) / 255)
        found = decode(tiff_of(values, bits, 5, **way(order, big, compressed, rows)))
        assert abs(found.pixels - expected).max() <= 1 and "CMYK" in found.notes


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_tiff(bits, order):
    values = numbers(bits)
    palette = np.random.default_rng(1).integers(0, 256, (1 << bits, 3))
    content = tiff_of(values, bits, 3, palette=palette * 257, order=order)
    same(content, palette[values[:, :, 0]], "palette")


@pytest.mark.parametrize("alpha", [0, 2])
def test_grey_and_palette_tiff_with_alpha(alpha):
    values = numbers(8, 2)
    shown = grey(values[:, :, :1])
    expected = on_white(shown, values[:, :, 1:]) if alpha == 2 else shown
    same(tiff_of(values, 8, 1, extra=(alpha,)), expected)
    palette = np.random.default_rng(1).integers(0, 256, (256, 3))
    shown = palette[values[:, :, 0]]
    expected = on_white(shown, values[:, :, 1:]) if alpha == 2 else shown
    same(tiff_of(values, 8, 3, palette=palette * 257, extra=(alpha,)), expected, "palette")


def test_lab_tiff():
    # L*, a*, b* of white D50 and their sRGB. Source: Lindbloom's calculator, Bradford's adaptation.
    known = {
        (0, 0, 0): (0, 0, 0),  # the numbers are rounded, which green shows most
        (255, 0, 0): (255, 255, 255),
        (137, 0, 0): (128, 128, 128),
        (138, 81, 70): (255, 0, 0),
        (224, -79, 81): (0, 255, 0),
        (75, 68, -112): (0, 0, 255),
    }
    values = np.array([list(known)]) & 255
    found = decode(tiff_of(values, 8, 8))
    assert abs(found.pixels[0].astype(int) - list(known.values())).max() <= 10
    assert "color space" in found.notes


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("bits", "format", "least", "largest"),
    [(32, 3, -40, 900), (32, 1, 0, 4e9), (32, 2, -2e9, 2e9), (16, 2, -3e4, 3e4), (8, 2, -128, 127)],
)
def test_numbers_without_black_and_white(bits, format, least, largest, compressed, order):
    if bits == 32 and format == 1 and order == ">":
        pytest.skip("Pillow does not know it")
    values = np.random.default_rng(0).uniform(least, largest, (*SIZE, 1))
    values = np.rint(values) if format < 3 else values.astype(np.float32)
    values[0, 0], values[-1, -1] = least, largest
    content = tiff_of(
        values, bits, 1, format=format, order=order, compression=DEFLATE if compressed else NONE
    )
    with pytest.raises(PictureError, match="have no known black and white") as error:
        decode(content)
    assert error.value.values == (least, largest)
    found = decode(content, value_range=(least, largest))
    expected = np.rint((values.astype(float) - least) / (largest - least) * 255)
    np.testing.assert_array_equal(found.pixels, grey(expected))
    assert found.notes == ("measured range",) and found.values == (least, largest)
    middle = (least + largest) / 2
    cut = decode(content, value_range=(least, middle))
    assert cut.notes == ("measured range", "beyond the range")
    assert cut.pixels[-1, -1, 0] == 255


def test_numbers_that_are_none():
    values = numbers(8).astype(np.float32)
    for wrong in (np.nan, np.inf):
        values[2, 3] = wrong
        with pytest.raises(PictureError, match="values that are no numbers"):
            decode(tiff_of(values, 32, 1, format=3), value_range=(0, 255))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_turned_tiff(bits, turn):
    values = numbers(bits, 3)
    upright = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a),
    }[turn]  # fmt: skip
    more = {274: ("H", turn.to_bytes(2, "little"))}
    same(tiff_of(values, bits, 2, more=more), upright(eight(values, bits)))
    xmp = {700: ("B", b'<x tiff:Orientation="%d"/>' % turn)}
    same(tiff_of(values, bits, 2, more=xmp), upright(eight(values, bits)))


DEPTHS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)]


@pytest.mark.parametrize(("kind", "bits"), DEPTHS)
@pytest.mark.parametrize("marked", [False, True])
def test_png(kind, bits, marked):
    channels = 3 if kind == 2 else 1
    values = numbers(bits, channels, seed=3)
    color = tuple(values[2, 3].tolist())
    if bits == 16:  # equal in the upper bytes alone
        values[3, 3] = values[2, 3] ^ 1
    expected = eight(values, bits)
    expected = expected if kind == 2 else grey(expected)
    if marked:
        expected[(values == color).all(axis=2)] = 255
    content = png_of(values, bits, kind, color if marked else ())
    same(content, expected, *(("alpha",) if marked else ()))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [4, 6])
def test_png_with_alpha(kind, bits):
    values = numbers(bits, 2 if kind == 4 else 4)
    scaled = eight(values, bits)
    rgb = grey(scaled[:, :, :1]) if kind == 4 else scaled[:, :, :3]
    same(png_of(values, bits, kind), on_white(rgb, scaled[:, :, -1:]), "alpha")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_png_palette_with_alpha(bits):
    values = numbers(bits)
    rng = np.random.default_rng(2)
    palette, alpha = rng.integers(0, 256, (1 << bits, 3)), rng.integers(0, 256, 1 << bits)
    content = png_of(
        values, bits, 3, tuple(alpha.tolist()), palette=palette.astype(np.uint8).tobytes()
    )
    chosen = values[:, :, 0]
    same(content, on_white(palette[chosen], alpha[chosen][..., None]), "palette", "alpha")


def test_png_with_much_text_is_read():
    import zlib

    values = numbers(8, 3)
    much = zlib.compress(bytes(3 << 20))
    before = chunk(b"zTXt", b"Comment\0\0" + much) + chunk(b"iCCP", b"icc\0\0" + much)
    before += chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + much) * 30
    before += chunk(b"tEXt", b"Comment\0" + b"x" * (2 << 20))
    same(png_of(values, 8, 2, before=before), values)
    xmp = chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="3"/>')
    same(png_of(values, 8, 2, before=before + xmp), values[::-1, ::-1], "EXIF-rotated")


def test_alpha_of_zeros():
    values = numbers(8, 4).astype(np.uint8)
    same(bmp(values), on_white(values[:, :, :3].astype(int), values[:, :, 3:].astype(int)))
    values[:, :, 3] = 0
    same(bmp(values), values[:, :, :3], "empty alpha")
    same(png_of(values, 8, 6), np.full((*SIZE, 3), 255), "wholly transparent")
