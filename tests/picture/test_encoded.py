"""Decoding only what a view shows: the same bits as from the whole picture."""

import io

import numpy as np
import pytest
from PIL import Image

from darter.picture import Augment, Encoded, PictureError, Preprocess, decode, open_pixels


class Pixels:
    covariance = np.diag((0.07, 0.06, 0.05))


def jpeg(width, height, **options):
    rng = np.random.default_rng(width)
    coarse = rng.integers(0, 256, (height // 20 + 2, width // 20 + 2, 3), np.uint8)
    buffer = io.BytesIO()
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


PLAIN = {"scale_crop": {"short_side": (64, 120)}, "flip": {}, "jitter": {"contrast": 0.4}}
TURNED = {"area_crop": {}, "rotate": {"degrees": (-90, 90)}, "jitter": {"contrast": 0.4}}
WILD = {
    "translate": {"x": (-1, 1), "y": (-1, 1)},
    "stretch": {"x": (0.2, 5), "y": (0.2, 5)},
    "perspective": {"strength": (0, 0.45)},
    "lens": {"k": (-0.3, 1)},
    "jitter": {"contrast": 0.9},
    "pca_noise": {},
}


@pytest.mark.parametrize("border", ["reflect", "edge", "fill"])
@pytest.mark.parametrize("spec", [PLAIN, TURNED, WILD], ids=["plain", "turned", "wild"])
def test_bits_are_those_of_the_whole_picture(spec, border):
    augment = Augment.from_dict(spec, 64, border=border, pixels=Pixels())
    for width, height in ((90, 110), (207, 130)):
        content = jpeg(width, height)
        parts, whole = open_pixels(content), decode(content).pixels
        assert isinstance(parts, Encoded)
        for index in range(25):
            one, other = np.full((2, 3, 64, 64), np.nan, np.float32)
            augment.write(parts, one, 0, 0, index)
            augment.write(whole, other, 0, 0, index)
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
def test_preprocessing_too(crop):
    content = jpeg(207, 130)
    preprocess = Preprocess(32, crop=crop)
    one, other = np.full((2, 3, 32, 32), np.nan, np.float32)
    preprocess.write(open_pixels(content), one)
    preprocess.write(decode(content).pixels, other)
    np.testing.assert_array_equal(one, other)


def test_what_cannot_be_decoded_in_parts_is_decoded():
    exif = Image.Exif()
    exif[0x0112] = 6
    for content in (jpeg(60, 40, progressive=True), jpeg(60, 40, exif=exif)):
        np.testing.assert_array_equal(open_pixels(content), decode(content).pixels)
    shrunk = open_pixels(jpeg(200, 160), min_side=64)
    assert shrunk.shape == (80, 100, 3)


def test_damage_is_named(tmp_path):
    path = tmp_path / "photo.jpg"
    content = jpeg(200, 160)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(PictureError, match=r"photo\.jpg: truncated"):
        Augment.from_dict({}, 64).write(
            open_pixels(path), np.empty((3, 64, 64), np.float32), 0, 0, 0
        )
    with pytest.raises(PictureError, match=r"no\.jpg: missing"):
        open_pixels(tmp_path / "no.jpg")
    with pytest.raises(PictureError, match="huge"):
        open_pixels(content, max_pixels=1000)


def test_a_missing_end_marker_is_forgiven():
    content = jpeg(64, 48)
    whole = open_pixels(content[:-2]).decode((0, 0, 64, 48))
    np.testing.assert_array_equal(whole, decode(content).pixels)
