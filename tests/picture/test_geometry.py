import math

import numpy as np
import pytest

from darter.errors import OptionError
from darter.picture import (
    area_crop,
    erase,
    flip,
    lens,
    perspective,
    rotate,
    scale_crop,
    shear,
    stretch,
    translate,
)
from darter.picture.augment import draws
from darter.picture.frame import Frame


def composed(step, size=100, width=200, height=100, seed=0):
    frame = Frame(width, height)
    step.compose(frame, draws(seed, 0, 0), size)
    return frame


def looks_at(frame, x, y):
    """The point of the picture that a point of the view shows."""
    u, v, w = frame.map @ (x, y, 1)
    return u / w, v / w


def test_flip_mirrors_about_the_middle():
    frame = composed(flip())
    assert looks_at(frame, 0, 30) == (200, 30)
    assert looks_at(frame, 199.5, 30) == (0.5, 30)


def test_rotate_turns_counter_clockwise():
    frame = composed(rotate((90, 90)))
    # what lay to the right of the middle is above it now (y grows downward)
    np.testing.assert_allclose(looks_at(frame, 100, 40), (110, 50), atol=1e-12)


def test_translate_moves_content_right_and_down():
    frame = composed(translate((0.1, 0.1), (0.2, 0.2)))
    np.testing.assert_allclose(looks_at(frame, 20, 20), (0, 0), atol=1e-12)


def test_stretch_magnifies_about_the_middle():
    frame = composed(stretch((2, 2), (0.5, 0.5)))
    np.testing.assert_allclose(looks_at(frame, 120, 60), (110, 70), atol=1e-12)


def test_shear_slants_about_the_middle():
    frame = composed(shear((45, 45), (0, 0)))
    np.testing.assert_allclose(looks_at(frame, 100, 50), (100, 50), atol=1e-12)
    np.testing.assert_allclose(looks_at(frame, 110, 60), (100, 60), atol=1e-9)


def test_shears_that_would_flatten_the_picture_keep_an_inverse():
    frame = composed(shear((45, 45), (45, 45)))
    assert abs(np.linalg.det(frame.map)) > 0.05


def test_scale_crop_is_resnets():
    """L in [256, 480], short side resized to L, then a patch of 224 within the picture."""
    seen = []
    for seed in range(400):
        frame = composed(scale_crop((256, 480), 224), width=500, height=375, seed=seed)
        scale = frame.map[0, 0]
        assert frame.map[1, 1] == pytest.approx(scale)
        seen.append(375 / scale)
        for corner in ((0, 0), (224, 224)):
            u, v = looks_at(frame, *corner)
            assert -1e-9 <= u <= 500 + 1e-9
            assert -1e-9 <= v <= 375 + 1e-9
    short_sides = np.rint(seen)
    np.testing.assert_allclose(seen, short_sides, atol=1e-9)
    assert 256 <= short_sides.min() < 260
    assert 476 < short_sides.max() <= 480
    assert abs(short_sides.mean() - 368) < 12  # standard error 3.2


def test_area_crop_stays_inside_with_its_area_and_ratio():
    for seed in range(200):
        step = area_crop((0.3, 0.5), (3 / 4, 4 / 3), size=50)
        frame = composed(step, width=120, height=100, seed=seed)
        x, y = looks_at(frame, 0, 0)
        right, bottom = looks_at(frame, 50, 50)
        assert -1e-9 <= x <= right <= 120 + 1e-9
        assert -1e-9 <= y <= bottom <= 100 + 1e-9
        assert 0.3 <= (right - x) * (bottom - y) / 12_000 <= 0.5
        assert 0.749 <= (right - x) / (bottom - y) <= 1.334


def test_area_crop_of_a_very_long_picture_takes_the_largest_box():
    frame = composed(area_crop((1, 1)), width=1000, height=10)
    right, bottom = looks_at(frame, 100, 100)
    left, top = looks_at(frame, 0, 0)
    assert (right - left, bottom - top) == (pytest.approx(40 / 3), pytest.approx(10))


def test_perspective_moves_corners_inward():
    frame = composed(perspective((0.3, 0.3)))
    inverse = np.linalg.inv(frame.map)
    for corner in ((0, 0), (200, 0), (200, 100), (0, 100)):
        u, v, w = inverse @ (*corner, 1)
        # the view shows the picture's corners outside of itself or at its own corners, because
        # the view's corners look at points further inside
        assert np.hypot(u / w - 100, v / w - 50) >= np.hypot(100, 50) - 1e-9


@pytest.mark.parametrize("k", [-0.3, 0.3])
def test_lens_never_looks_outside_of_the_view(k):
    from tests.references.warp import map_points

    for seed in range(20):
        frame = composed(lens((k, k), center=0.2), width=100, height=100, seed=seed)
        bent = frame.finish(100, "center")
        x, y = np.meshgrid(np.linspace(0, 100, 21), np.linspace(0, 100, 21))
        u, v = map_points(x, y, frame.map, bent)
        assert min(u.min(), v.min()) > -1e-9
        assert max(u.max(), v.max()) < 100 + 1e-9
        # never folds over: going right, the map goes right
        assert (np.diff(u, axis=1) > 0).all()
        assert (np.diff(v, axis=0) > 0).all()
    middle = map_points(np.array((49.0, 51.0)), np.array((50.0, 50.0)), frame.map, bent)[0]
    assert (np.diff(middle)[0] < 1.7) == (k > 0)  # a barrel magnifies its middle


def test_erase_covers_the_drawn_share():
    frame = composed(erase((0.1, 0.1), (1, 1)))
    (x0, y0, x1, y1) = frame.erased[0]
    assert (x1 - x0) * (y1 - y0) == pytest.approx(0.1)
    assert 0 <= x0 < x1 <= 1


def test_fit_center_squash_pad():
    for crop, corner in (("center", (50, 0)), ("squash", (0, 0)), ("pad", (0, -50))):
        frame = Frame(200, 100)
        frame.fit(10, crop)
        assert (frame.width, frame.height) == (10, 10)
        np.testing.assert_allclose(looks_at(frame, 0, 0), corner)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: flip(p=1.5), "flip: p must be a number from 0 to 1, got 1.5"),
        (lambda: flip(p="often"), "got 'often'"),
        (lambda: rotate(10), r"rotate: degrees must be a pair \(least, most\), got 10"),
        (lambda: rotate((5, -5)), "from least to most"),
        (lambda: rotate((0, math.nan)), "degrees must be a number from -360 to 360"),
        (lambda: stretch(x=(0, 1)), "x must be a number from 0.05"),
        (lambda: shear(x=(0, 90)), "from -60 to 60"),
        (lambda: lens(k=(-1, 0)), "from -0.3 to 1"),
        (lambda: scale_crop((200, 480), 224), "starts at 200, which is less than the patch of 224"),
        (lambda: area_crop(area=(0, 1)), "area must be a number"),
        (lambda: erase(area=(True, 1)), "got True"),
    ],
)
def test_bad_ranges_are_named(make, message):
    with pytest.raises(OptionError, match=message):
        make()
