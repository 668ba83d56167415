"""Looks at a picture: the 50 views' corners, mirror images, draws of an augmentation."""

import numpy as np
import pytest

from darter.errors import OptionError
from darter.picture import Preprocess, make_look, views_for

PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1)}
LOOK = Preprocess(32, 36, **PLAIN)


def pixels(height=50, width=70, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_the_fifty_views_are_the_lectures():
    """Width 800, height 600, crops of 224: where each crop's corners lie in the picture."""
    fifty = views_for(Preprocess(224), 10, 5)
    assert fifty.scales == (224, 256, 384, 480, 640) and len(fifty) == 50
    warps = fifty.warps((800, 600))
    for number, scale in enumerate(fifty.scales):
        width, height = int(scale * 800 / 600), scale
        across, down = 800 / width, 600 / height  # picture pixels per pixel of the resized one
        x, y = width - 224, height - 224
        corners = [(0, 0), (x, 0), (0, y), (x, y), (round(x / 2), round(y / 2))]
        for place, (left, top) in enumerate(corners):
            straight, mirrored = warps[10 * number + place], warps[10 * number + 5 + place]
            box = [left * across, top * down, (left + 224) * across, (top + 224) * down]
            np.testing.assert_allclose(_corners(straight), box, atol=1e-9)
            other = [box[2], box[1], box[0], box[3]]
            np.testing.assert_allclose(_corners(mirrored), other, atol=1e-9)


def _corners(warp):
    """Where the output's top left and bottom right corners look."""
    matrix = np.array(warp.homography).reshape(3, 3)
    ends = matrix @ np.array([[0, 224.0], [0, 224.0], [1, 1]])
    return (ends[:2] / ends[2]).T.ravel()


@pytest.mark.parametrize("size", [(40, 30), (1, 1), (224, 100)])
def test_smaller_pictures_are_enlarged_so_that_crops_lie_within(size):
    for warp in views_for(Preprocess(224)).warps(size):
        left, top, right, bottom = _corners(warp)
        assert min(left, right) >= -1e-9 and max(left, right) <= size[0] + 1e-9
        assert top >= -1e-9 and bottom <= size[1] + 1e-9


def test_other_sizes_are_in_proportion():
    assert views_for(Preprocess(32)).scales == (32, 37, 55, 69, 91)
    assert views_for(Preprocess(112), 5, 2).scales == (112, 128)
    assert views_for(Preprocess(224), 10, 1).scales == (256,), "AlexNet's"


@pytest.mark.parametrize("crops, scales", [(1, 1), (2, 3), (5, 2), (10, 5)])
def test_views_by_number(crops, scales):
    look = make_look([f"views:{crops}x{scales}"], LOOK)
    assert len(look) == crops * scales
    assert look(pixels()).shape == (crops * scales, 3, 32, 32)


def test_flip_is_the_picture_and_its_mirror_image():
    both = make_look(["flip"], LOOK)(pixels())
    np.testing.assert_array_equal(both[0], LOOK(pixels()))
    np.testing.assert_array_equal(both[1], LOOK(pixels())[..., ::-1])


def test_draws_are_the_same_for_every_picture_and_every_time():
    augment = {"flip": {}, "rotate": {"degrees": (-30, 30)}}
    look = make_look(["augment:4"], LOOK, augment=augment)
    first = look(pixels())
    np.testing.assert_array_equal(first, look(pixels()))
    assert len({image.tobytes() for image in first}) == 4
    assert look.augment.to_dict().keys() == augment.keys()


def test_looks_follow_each_other():
    look = make_look(["flip", "views:1x1"], LOOK)
    assert len(look) == 3 and look.min_side == LOOK.min_side
    np.testing.assert_array_equal(look(pixels())[:2], make_look(["flip"], LOOK)(pixels()))
    assert len(make_look([], LOOK)) == 1


@pytest.mark.parametrize(
    "source, words",
    [
        ("views:7x5", "crops one of 1, 2, 5, 10"),
        ("views:10x6", "scales from 1 to 5"),
        ("views:ten", "expected views:CROPSxSCALES"),
        ("augment:0", "from 1 to 1000"),
        ("augment", "from 1 to 1000"),
        ("flip:2", "flip, views, augment are"),
        ("noise", "'noise' is no way to look"),
    ],
)
def test_mistakes_are_sentences(source, words):
    with pytest.raises(OptionError, match=words):
        make_look([source], LOOK, augment={})


def test_what_is_not_known_or_does_not_fit():
    with pytest.raises(OptionError, match="only models that darter trained"):
        make_look(["augment:2"], LOOK)
    with pytest.raises(OptionError, match="training pictures' own statistics"):
        make_look(["augment:2"], LOOK, augment={"pca_noise": {}})
    with pytest.raises(OptionError, match="takes 1 channel"):
        make_look(["views"], Preprocess(32, channels=1))
    assert make_look(["flip"], Preprocess(32, channels=1))(pixels()).shape == (2, 1, 32, 32)
