import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.dataset import PixelStatistics
from darter.errors import OptionError
from darter.picture import Augment, jitter, pca_noise
from darter.picture.augment import draws
from darter.picture.color import (
    LUMA,
    hue_matrix,
    principal_components,
    with_brightness,
    with_contrast,
    with_hue,
    with_saturation,
)

PLAIN = np.eye(3, 7)
factors = st.floats(0, 3)


def picture(seed=0):
    return np.random.default_rng(seed).random((6, 5, 3))


def colored(color, rgb):
    """The 3×7 matrix on every pixel, in float64."""
    mean = np.broadcast_to(rgb.mean((0, 1)), rgb.shape)
    return np.concatenate((rgb, mean, np.ones_like(rgb[..., :1])), axis=2) @ color.T


# The textbook definitions, one after the other, each on the picture that the last one made.
def brightness(rgb, f):
    return rgb * f


def contrast(rgb, f):
    grey_mean = (rgb @ LUMA).mean()
    return grey_mean + f * (rgb - grey_mean)


def saturation(rgb, f):
    grey = (rgb @ LUMA)[..., None]
    return grey + f * (rgb - grey)


@given(factors, factors, factors, st.permutations(["brightness", "contrast", "saturation"]))
def test_steps_compose_to_one_matrix(b, c, s, order):
    matrices = {"brightness": with_brightness, "contrast": with_contrast}
    matrices["saturation"] = with_saturation
    plain = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    color, expected = PLAIN, picture()
    for name in order:
        factor = {"brightness": b, "contrast": c, "saturation": s}[name]
        color, expected = matrices[name](color, factor), plain[name](expected, factor)
    np.testing.assert_allclose(colored(color, picture()), expected, atol=1e-12)


@given(st.floats(-0.5, 0.5))
def test_hue_keeps_luma_and_grey_and_comes_back(turns):
    rgb = picture()
    turned = colored(with_hue(PLAIN, turns), rgb)
    np.testing.assert_allclose(turned @ LUMA, rgb @ LUMA, atol=1e-12)
    np.testing.assert_allclose(hue_matrix(turns) @ np.ones(3), np.ones(3), atol=1e-12)
    np.testing.assert_allclose(hue_matrix(turns) @ hue_matrix(-turns), np.eye(3), atol=1e-12)


def test_hue_goes_the_way_of_the_color_wheel():
    red = np.array((0.6, 0.4, 0.4))
    for turns in (0.1, 1 / 3, -0.2):
        hue = colorsys.rgb_to_hsv(*(hue_matrix(turns) @ red))[0]
        assert abs((hue - turns + 0.5) % 1 - 0.5) < 0.06  # YIQ angles and HSV's agree roughly


def test_pca_noise_is_the_formula():
    """Add [p1 p2 p3] . [a1 l1, a2 l2, a3 l3], a_i ~ N(0, 0.1 squared), once per picture."""
    rng = np.random.default_rng(3)
    mix = rng.normal(size=(3, 3))
    pixels = np.clip(0.5 + rng.normal(size=(50_000, 3)) @ mix * 0.1, 0, 1)
    picture = np.rint(pixels * 255).astype(np.uint8).reshape(250, 200, 3)
    statistics = PixelStatistics.of(picture)
    vectors, values = principal_components(statistics.covariance)
    np.testing.assert_allclose(
        vectors @ np.diag(values) @ vectors.T, statistics.covariance, atol=1e-12
    )
    for scale, length in (("eigenvalue", values), ("stdev", np.sqrt(values))):
        augment = Augment((pca_noise(scale=scale),), 32, pixels=statistics)
        added = []
        for index in range(4000):
            color = np.reshape(augment.sample(1, 0, index, (32, 32)).color, (3, 7))
            np.testing.assert_array_equal(color[:, :6], np.eye(3, 6))
            added.append(color[:, 6])
        along = np.array(added) @ vectors
        # standard deviation of each component: 0.1 times its length, within 5 standard errors
        np.testing.assert_allclose(along.std(0), 0.1 * length, rtol=5 / np.sqrt(2 * 4000))
        assert (np.abs(along.mean(0)) < 5 * 0.1 * length / np.sqrt(4000)).all()
        alpha = draws(1, 0, 0).standard_normal(3) * 0.1
        np.testing.assert_allclose(added[0], vectors @ (alpha * length), atol=1e-15)


def test_jitter_takes_numbers_and_pairs():
    assert jitter(brightness=0.4).brightness == (0.6, 1.4)
    assert jitter(contrast=(0.5, 0.7)).contrast == (0.5, 0.7)
    assert jitter(hue=0.1).hue == (-0.1, 0.1)
    with pytest.raises(OptionError, match="jitter: hue must be a number"):
        jitter(hue=0.7)
    with pytest.raises(OptionError, match="jitter: saturation must be a number from 0 to 9"):
        jitter(saturation=-1)
    with pytest.raises(OptionError, match='scale must be "eigenvalue" or "stdev"'):
        pca_noise(scale="variance")
