import json
import threading

import numpy as np
import pytest

from darter.errors import OptionError, ShapeError
from darter.picture import SETS, TRANSFORMS, Augment, Preprocess, apply, flip, jitter, lens, rotate
from darter.picture.warp import Warp


class Statistics:
    covariance = np.array(((0.05, 0.04, 0.03), (0.04, 0.05, 0.04), (0.03, 0.04, 0.06)))


EVERYTHING = {name: {"p": 0.7} for name in TRANSFORMS}
EVERYTHING["jitter"] = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def everything(size=32):
    return Augment.from_dict(EVERYTHING, size, pixels=Statistics())


def photo(width=90, height=70, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_warps_depend_on_the_numbers_alone():
    augment = everything()
    first = [augment.sample(5, 2, index, (90, 70)) for index in range(40)]
    found = {}

    def draw(indices):
        for index in indices:
            found[index] = augment.sample(5, 2, index, (90, 70))

    threads = [threading.Thread(target=draw, args=(range(k, 40, 3),)) for k in (2, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[index] for index in range(40)] == first
    assert len({warp.homography for warp in first}) == 40
    others = [augment.sample(*key, (90, 70)) for key in ((6, 2, 0), (5, 3, 0), (5, 2, 1))]
    assert first[0] not in others


def test_a_warp_prints_and_replays():
    augment = everything()
    pixels = photo()
    warp = augment.sample(0, 1, 2, (90, 70))
    out = np.empty((3, 32, 32), np.float32)
    augment.write(pixels, out, 0, 1, 2)
    copy = eval(repr(warp), {"Warp": Warp, "Lens": type(warp.lens)})
    assert copy == warp
    np.testing.assert_array_equal(apply(pixels, copy), out)
    assert str(warp).startswith("90×70 to 32×32: ")
    assert len(str(warp).split("; ")) == len(warp.steps) > 3


def test_one_resampling_equals_steps_in_a_row():
    """Composing maps is right: a crop, then a flip, then a half turn, on pixels that stay exact."""
    pixels = photo(40, 40)
    spec = {"flip": {"p": 1}, "rotate": {"degrees": (180, 180)}}
    out = apply(pixels, Augment.from_dict(spec, 40).sample(0, 0, 0, (40, 40)))
    mean, std = (np.array(v)[:, None, None] for v in (Preprocess().mean, Preprocess().std))
    seen = (out * std + mean) * 255
    np.testing.assert_allclose(seen, pixels[::-1].transpose(2, 0, 1), atol=0.02)


def test_no_transforms_is_the_preprocessing_without_margin():
    pixels = photo(90, 70)
    augment = Augment.default(32, "none")
    plain = Preprocess(32, resize=32, crop="squash")
    square = np.ascontiguousarray(pixels[:, 10:80])
    np.testing.assert_allclose(apply(pixels, augment.sample(0, 0, 0, (90, 70))).mean(),
                               plain(square).mean(), atol=0.02)  # fmt: skip
    pad = Augment((), 32, crop="pad").sample(0, 0, 0, (90, 70))
    np.testing.assert_array_equal(apply(pixels, pad), Preprocess(32, crop="pad")(pixels))


def test_erased_boxes_show_the_mean_color():
    augment = Augment.from_dict({"erase": {"p": 1, "area": (0.2, 0.2)}}, 32)
    warp = augment.sample(0, 0, 0, (90, 70))
    out = apply(photo(), warp)
    (x0, y0, x1, y1) = warp.erased[0]
    assert (out[:, y0:y1, x0:x1] == 0).all()
    assert (out == 0).sum() == 3 * (x1 - x0) * (y1 - y0)


def test_clip_comes_before_normalization():
    augment = Augment((jitter(brightness=(5, 5)),), 16)
    out = apply(photo(), augment.sample(0, 0, 0, (90, 70)))
    mean, std = (np.array(v)[:, None, None] for v in (augment.mean, augment.std))
    values = out * std + mean
    assert values.min() > -1e-6
    assert values.max() < 1 + 1e-6
    assert (values > 1 - 1e-6).mean() > 0.5


def test_dict_round_trip_through_json():
    for spec in [*SETS.values(), EVERYTHING]:
        augment = Augment.from_dict(spec, 64, pixels=Statistics())
        plain = json.loads(json.dumps(augment.to_dict()))
        assert Augment.from_dict(plain, 64, pixels=Statistics()).transforms == augment.transforms
    assert everything().to_dict().keys() == TRANSFORMS.keys()


def test_more_pixels_are_asked_for_where_crops_need_them():
    assert Augment.default(224, "none").min_side == 224
    assert Augment.from_dict({"scale_crop": {}}, 224).min_side == 480
    assert Augment.from_dict({"area_crop": {"area": (0.25, 1)}}, 224).min_side == 448


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Augment.from_dict({"rotat": {}}, 9), "'rotat' is unknown; did you mean 'rotate'"),
        (lambda: Augment.from_dict({"mixup": {}}, 9), r"choices: flip, scale_crop"),
        (lambda: Augment.from_dict({"flip": {"q": 1}}, 9), r"flip: option 'q' .* \(choices: p\)"),
        (lambda: Augment.from_dict({"flip": 0.5}, 9), "flip: options must be a table"),
        (lambda: Augment.from_dict({"rotate": {"degrees": [0, 500]}}, 9), "from -360 to 360"),
        (lambda: Augment.from_dict({"scale_crop": {}}, 300), "less than the patch of 300"),
        (lambda: Augment.from_dict({"pca_noise": {}}, 9), "give pixels=audit.pixels"),
        (lambda: Augment((lens(), rotate(), lens()), 9), "one lens only"),
        (lambda: Augment.default(9, "medium"), "choose one of none, light, default, small, strong"),
        (lambda: Augment((flip(),), 0), "size must be a number from 1"),
        (lambda: Augment((flip(),), 9, crop="middle"), "crop must be one of"),
        (lambda: Augment((flip(),), 9, border="wrap"), "border must be one of"),
    ],
)
def test_bad_recipes_are_named(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_a_warp_is_for_one_size_of_picture():
    warp = Augment((), 16).sample(0, 0, 0, (90, 70))
    with pytest.raises(ShapeError, match="for a picture of 90×70 pixels, got one of 70×90"):
        apply(photo(70, 90), warp)


@pytest.mark.parametrize("transforms", [flip(), (flip,), ("flip",), "flip"])
def test_only_transforms_are_taken(transforms):
    with pytest.raises(OptionError, match=r"takes a list of transforms, as \[flip\(\)"):
        Augment(transforms, 32)
