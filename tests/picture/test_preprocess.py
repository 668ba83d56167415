import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darter.errors import OptionError, ShapeError
from darter.picture import Picture, Preprocess


def photo(width, height, seed=0):
    """A smooth picture with some grain and edges, as photos have."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 24 + 2, width // 24 + 2, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.BICUBIC)
    pixels = np.asarray(image).astype(np.int16) + rng.integers(-6, 7, (height, width, 3))
    pixels[height // 3 : height // 2, width // 4 : width // 2] //= 2
    return np.clip(pixels, 0, 255).astype(np.uint8)


def as_pixels(image, transform):
    mean, std = (np.array(v)[:, None, None] for v in (transform.mean, transform.std))
    return np.rint((image * std + mean) * 255).transpose(1, 2, 0)


def psnr(a, b):
    error = np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2)
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("size", [(400, 300), (300, 533), (256, 256), (200, 150), (1000, 801)])
def test_center_equals_pillow(size):
    pixels = photo(*size)
    preprocess = Preprocess(224)
    short = min(size)
    resized = [max(256, int(256 * side / short)) for side in size]
    left, top = (round((side - 224) / 2) for side in resized)
    expected = Image.fromarray(pixels).resize(resized, Image.BILINEAR)
    expected = expected.crop((left, top, left + 224, top + 224))
    assert psnr(as_pixels(preprocess(pixels), preprocess), expected) > 48


def test_squash_equals_pillow():
    pixels = photo(500, 333)
    preprocess = Preprocess(160, crop="squash")
    expected = Image.fromarray(pixels).resize((160, 160), Image.BILINEAR)
    assert psnr(as_pixels(preprocess(pixels), preprocess), expected) > 44


def test_pad_puts_the_mean_color_beside_the_picture():
    pixels = photo(400, 200)
    preprocess = Preprocess(100, crop="pad")
    image = preprocess(pixels)
    assert np.abs(image[:, :24]).max() < 0.01
    assert np.abs(image[:, 76:]).max() < 0.01
    expected = Image.fromarray(pixels).resize((100, 50), Image.BILINEAR)
    inside = as_pixels(image, preprocess)[26:74, 1:-1]
    assert psnr(inside, np.asarray(expected)[1:-1, 1:-1]) > 45


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_a_picture_of_the_right_size_stays_exact(size, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    preprocess = Preprocess(size, resize=size)
    np.testing.assert_array_equal(as_pixels(preprocess(pixels), preprocess), pixels)


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_tiny_pictures(size, crop):
    pixels = np.full((size[1], size[0], 3), 200, np.uint8)
    image = Preprocess(8, crop=crop, mean=(0, 0, 0), std=(1, 1, 1))(pixels)
    assert np.isfinite(image).all()
    if crop != "pad":
        np.testing.assert_allclose(image, 200 / 255, atol=1e-6)


def test_every_kind_of_source_gives_the_same(tmp_path):
    pixels = photo(60, 40)
    file = tmp_path / "a.png"
    Image.fromarray(pixels).save(file)
    preprocess = Preprocess(32)
    sources = [pixels, Picture(pixels), file, str(file), file.read_bytes()]
    batch = preprocess.batch(sources)
    assert batch.shape == (5, 3, 32, 32)
    for image, source in zip(batch, sources, strict=True):
        np.testing.assert_array_equal(image, preprocess(pixels))
        np.testing.assert_array_equal(image, preprocess(source))


def test_large_jpegs_are_decoded_smaller(tmp_path):
    content = io.BytesIO()
    Image.fromarray(photo(1600, 1200)).save(content, "JPEG", quality=95)
    preprocess = Preprocess(224)
    full = preprocess(np.asarray(Image.open(content)))
    reduced = preprocess(content.getvalue())
    assert psnr(as_pixels(full, preprocess), as_pixels(reduced, preprocess)) > 32


def test_dict_round_trip_and_defaults():
    one = Preprocess(192, crop="squash", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert Preprocess.from_dict(one.to_dict()) == one
    assert Preprocess(224).resize == 256
    assert Preprocess(160).resize == 183
    assert set(one.to_dict()) == {"size", "resize", "crop", "mean", "std"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be a number from 1"),
        ({"size": 22.5}, "whole number"),
        ({"crop": "middle"}, "center, squash, pad, got 'middle'"),
        ({"resize": 100}, "resize must be at least size"),
        ({"std": (0, 1, 1)}, "std must be a number from 0.001"),
        ({"mean": (0, 1)}, "mean needs 3 numbers"),
        ({"sise": 3}, "'sise' is unknown .choices: size, resize"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(OptionError, match=message):
        Preprocess.from_dict(options)


def test_wrong_pixels_are_named():
    with pytest.raises(ShapeError, match=r"uint8 array \(height, width, 3\), got float64 \(4, 4\)"):
        Preprocess(8)(np.zeros((4, 4)))


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
@pytest.mark.parametrize("sides", [(32, 100), (40, 24)])
def test_rectangles_show_what_pillow_shows(crop, sides):
    """The middle at the scale that covers it, all of it, or all with the mean color beside it."""
    height, width = sides
    pixels = photo(120, 80)
    plain = Preprocess(size=sides, crop=crop, resize=min(sides), mean=(0, 0, 0), std=(1, 1, 1))
    ours = plain(pixels)
    assert ours.shape == (3, height, width)
    box, inner = (0, 0, 120, 80), (height, width)
    if crop == "center":
        scale = max(width / 120, height / 80)
        grown = [max(width, round(120 * scale)), max(height, round(80 * scale))]
        x, y = round((grown[0] - width) / 2), round((grown[1] - height) / 2)
        across, down = 120 / grown[0], 80 / grown[1]
        box = (x * across, y * down, (x + width) * across, (y + height) * down)
    elif crop == "pad":
        scale = min(width / 120, height / 80)
        inner = (round(80 * scale), round(120 * scale))
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        ours = ours[:, top : top + inner[0], left : left + inner[1]]
    expected = Image.fromarray(pixels).resize(inner[::-1], Image.Resampling.BILINEAR, box=box)
    difference = np.abs(ours * 255 - np.asarray(expected, np.float32).transpose(2, 0, 1))
    if crop == "pad":  # beside it lies the mean color, which its border blends with
        difference = difference[:, 1:-1, 1:-1]
    assert difference.max() < 2


def test_grey_is_as_pillow_sees_it():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    grey = Preprocess(size=20, resize=20, channels=1, mean=(0.5,), std=(0.25,))(pixels)
    expected = (np.asarray(Image.fromarray(pixels).convert("L"), np.float32) / 255 - 0.5) / 0.25
    assert grey.shape == (1, 20, 20)
    assert np.abs(grey[0] - expected).max() < 4.1 / 255


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(size=(32, 100)),
        Preprocess(size=28, channels=1),
        Preprocess(size=(28, 20), channels=1, mean=(0.4,), std=(0.3,), crop="pad"),
    ],
    ids=str,
)
def test_rectangles_and_grey_round_trip_as_json(preprocess):
    again = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
    assert again == preprocess
    assert again.batch([np.zeros((50, 60, 3), np.uint8)] * 2).shape == (2, *preprocess.shape)


def test_a_square_of_color_is_written_as_before():
    keys = ["size", "resize", "crop", "mean", "std"]
    assert [*Preprocess(size=(64, 64)).to_dict()] == keys
    assert Preprocess(size=(64, 64)) == Preprocess(size=64)


def test_a_rectangle_has_no_side():
    with pytest.raises(OptionError, match="must be one side of a square"):
        _ = Preprocess(size=(3, 4)).side


def test_a_decoder_leaves_twice_what_the_view_is_cut_from():
    """So that its own filter shifts no probability that is looked at."""
    assert (Preprocess(224, 256).short_side, Preprocess(224, 256).min_side) == (256, 512)
    assert Preprocess((100, 300), 110).min_side == 2 * Preprocess((100, 300), 110).short_side
