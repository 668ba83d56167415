import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter import kernels
from darter.errors import OptionError, ShapeError
from tests.references.warp import warp_reference

ISAS = kernels.available_isas()
PLAIN = {"color": np.eye(3, 4), "low": np.zeros(3), "high": np.full(3, 255.0)}


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth(width, height):
    """A picture whose neighbors differ by few levels, so that place shows as color."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    waves = (np.sin(x / 17 + y / 29), np.cos(x / 23 - y / 19), np.sin(x / 31) * np.cos(y / 13))
    return np.rint(127.5 + 110 * np.stack(waves, axis=2)).astype(np.uint8)


def run(picture, shape, homography, isa=None, channels_last=False, **options):
    """The warp into a poisoned slot of a larger, poisoned batch, whose rest must stay."""
    height, width = shape
    batch = np.full((3, 3, height + 2, width + 2), np.nan, np.float32)
    if channels_last:
        batch = np.full((3, height + 2, width + 2, 3), np.nan, np.float32).transpose(0, 3, 1, 2)
    slot = batch[1, :, 1:-1, 1:-1]
    options = {**PLAIN, **options}
    with kernels.using_isa(isa or ISAS[-1]):
        kernels.warp(picture, slot, homography=homography, **options)
    out = slot.copy()
    slot[...] = np.nan
    assert np.isnan(batch).all(), "written outside of the slot"
    return out


def affine(width, height, out, scale, degrees, stretch, slant, shift):
    """Output points to picture points: from the middle of one to the middle of the other."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array(((cos, -sin), (sin, cos)))
    linear = turn @ np.diag((scale * stretch, scale / stretch)) @ np.array(((1, slant), (0, 1)))
    h = np.eye(3)
    h[:2, :2] = linear
    middle = np.array((width / 2, height / 2)) + shift
    h[:2, 2] = middle - linear @ np.array((out[1] / 2, out[0] / 2))
    return h


def tolerance(reference_level_steps=1.0):
    # Coordinates are right to about 1e-4 pixel where numbers stay near 1000 (float32), a pixel's
    # step is at most 255 levels, and a level's byte may round the other way: one level.
    return 1e-4 * 255 * 2 + reference_level_steps


sizes = st.integers(1, 60)
small = st.floats(-1, 1)


@st.composite
def straight_maps(draw):
    width, height = draw(sizes), draw(sizes)
    shape = draw(sizes), draw(sizes)
    scales = [draw(st.floats(0.05, 4)) * draw(st.sampled_from((-1, 1))) for _ in range(2)]
    offsets = [draw(st.floats(-1.5, 2.5)) * side for side in (width, height)]
    h = np.array(((scales[0], 0, offsets[0]), (0, scales[1], offsets[1]), (0, 0, 1.0)))
    return width, height, shape, h


@pytest.mark.parametrize("isa", ISAS)
@given(
    straight_maps(),
    st.sampled_from(kernels.BORDERS),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_straight_maps_equal_reference(isa, case, border, channels_last, seed):
    width, height, shape, h = case
    picture = noise(width, height, seed)
    options = {"border": border, "fill": (3, 99, 250)}
    fast = run(picture, shape, h, isa, channels_last, **options)
    reference = warp_reference(picture, shape, h, *PLAIN.values(), **options)
    # Two float32 sums of weights that add to 1, of up to 60 terms each.
    np.testing.assert_allclose(fast, reference, atol=255 * 64 * 2**-23)


@st.composite
def general_maps(draw):
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    shape = draw(sizes), draw(sizes)
    fit = min(width / shape[1], height / shape[0])
    h = affine(
        width,
        height,
        shape,
        scale=fit * draw(st.floats(0.2, 3)),
        degrees=draw(st.floats(-180, 180)),
        stretch=draw(st.floats(0.6, 1.6)),
        slant=draw(small),
        shift=np.array((draw(small) * width, draw(small) * height)),
    )
    if draw(st.booleans()):  # the denominator stays above 0.4
        h[2, :2] = draw(small) * 0.3 / shape[1], draw(small) * 0.3 / shape[0]
    lens = None
    if draw(st.booleans()):
        k = draw(st.floats(-0.3, 0.5)), draw(st.floats(-0.05, 0.2))
        center = draw(st.floats(0.3, 0.7)) * shape[1], draw(st.floats(0.3, 0.7)) * shape[0]
        lens = (*center, math.hypot(*shape) / 2 + 1, *k)
    return width, height, shape, h, lens


@pytest.mark.parametrize("isa", ISAS)
@settings(max_examples=150)
@given(general_maps(), st.sampled_from(kernels.BORDERS), st.booleans())
def test_general_maps_equal_reference(isa, case, border, channels_last):
    width, height, shape, h, lens = case
    picture = smooth(width, height)
    options = {"border": border, "fill": (120, 130, 140), "lens": lens}
    fast = run(picture, shape, h, isa, channels_last, **options)
    reference = warp_reference(picture, shape, h, *PLAIN.values(), **options)
    assert np.abs(fast - reference).max() < tolerance()
    if shape[0] * shape[1] >= 64:  # the mean of fewer pixels is as uncertain as one of them
        assert np.abs(fast - reference).mean() < 0.02


@pytest.mark.parametrize("isa", ISAS)
def test_general_maps_on_noise_of_a_photo_size(isa):
    picture = noise(500, 375)
    for degrees, scale in ((5, 1.1), (-33, 0.7), (170, 1.6)):
        h = affine(500, 375, (224, 224), scale, degrees, 1.05, 0.1, (10, -7))
        fast = run(picture, (224, 224), h, isa)
        reference = warp_reference(picture, (224, 224), h, *PLAIN.values())
        # neighbors differ by up to 255 levels: 2e-4 of a pixel in each direction
        assert np.abs(fast - reference).max() < 255 * 4e-4 + (1.0 if scale > 1.2 else 0)
        assert np.abs(fast - reference).mean() < 0.02


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (16, 17), (33, 64), (224, 224)])
def test_identity_is_exact(isa, size):
    picture = noise(*size)
    expected = picture.transpose(2, 0, 1)
    np.testing.assert_array_equal(run(picture, size[::-1], np.eye(3), isa), expected)
    mirrored = np.array(((-1.0, 0, size[0]), (0, 1, 0), (0, 0, 1)))
    np.testing.assert_array_equal(run(picture, size[::-1], mirrored, isa), expected[:, :, ::-1])
    if min(size) > 1:
        quarter = np.array(((0.0, 1, 0), (1, 0, 0), (0, 0, 1)))  # takes the general path
        turned = run(picture, size, quarter, isa)
        np.testing.assert_array_equal(turned, expected.transpose(0, 2, 1))


@pytest.mark.parametrize("isa", ISAS)
def test_map_and_its_inverse_come_back(isa):
    picture = smooth(200, 200)
    h = affine(200, 200, (200, 200), 0.9, 20, 1.05, 0.1, (3, -4))
    there = run(picture, (200, 200), h, isa)
    there = np.rint(there).astype(np.uint8).transpose(1, 2, 0).copy()
    back = run(there, (200, 200), np.linalg.inv(h), isa)
    inner = np.s_[:, 60:140, 60:140]
    assert np.abs(back - picture.transpose(2, 0, 1))[inner].max() < 4


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("border", ["reflect", "edge"])
def test_no_seam_at_the_borders(isa, border):
    ones = np.full((50, 70, 3), 200, np.uint8)
    for degrees in (0, 30):
        for scale in (0.5, 1.0, 3.0):
            h = affine(70, 50, (64, 64), scale, degrees, 1, 0, (20, 10))
            out = run(ones, (64, 64), h, isa, border=border)
            np.testing.assert_allclose(out, 200, atol=1e-3)
    ramp = smooth(70, 50)
    h = affine(70, 50, (100, 100), 0.9, 0.01, 1, 0, (0, 0))
    steps = np.abs(np.diff(run(ramp, (100, 100), h, isa, border=border), axis=2))
    assert steps.max() < 12  # a seam would be a jump of tens of levels


@pytest.mark.parametrize("isa", ISAS)
def test_color_matrix_and_clip(isa):
    picture = noise(40, 30)
    rng = np.random.default_rng(1)
    color = rng.normal(size=(3, 4)) * (0.02, 0.02, 0.02, 1)
    low, high = np.array((-1, -0.5, -2)), np.array((1, 2, 0.7))
    for h in (np.eye(3), affine(40, 30, (30, 40), 0.9, 12, 1, 0, (0, 0))):
        options = {"color": color, "low": low, "high": high}
        fast = run(picture, (30, 40), h, isa, **options)
        reference = warp_reference(picture, (30, 40), h, color, low, high)
        np.testing.assert_allclose(fast, reference, atol=3e-3)
        assert (fast >= low[:, None, None].astype(np.float32)).all()
        assert (fast <= high[:, None, None].astype(np.float32)).all()


def supersampled(picture, shape, h, steps=8):
    """What each output pixel sees through a triangle two output pixels wide, point by point."""
    total = 0.0
    x, y = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    places = (np.arange(2 * steps) + 0.5) / steps - 1
    for dy in places:
        for dx in places:
            u = h[0, 0] * (x + dx) + h[0, 1] * (y + dy) + h[0, 2]
            v = h[1, 0] * (x + dx) + h[1, 1] * (y + dy) + h[1, 2]
            seen = picture[v.astype(int), u.astype(int)].astype(np.float64)
            total = total + (1 - abs(dx)) * (1 - abs(dy)) * seen
    return (total / steps**2).transpose(2, 0, 1)


def psnr(a, b):
    return 10 * math.log10(255**2 / np.mean((a - b) ** 2))


@pytest.mark.parametrize(
    ("scale", "straight", "turned"), [(1.3, 41, 36), (2, 44, 37), (3.3, 44, 38)]
)
def test_minifying_averages_and_does_not_alias(scale, straight, turned):
    """Grain as fine as pixels is where aliasing shows: plain bilinear gets 32 to 26 dB here."""
    picture = np.clip(smooth(400, 400) * 0.7 + noise(400, 400) * 0.3, 0, 255).astype(np.uint8)
    for degrees, least in ((0, straight), (25, turned)):
        h = affine(400, 400, (64, 64), scale, degrees, 1, 0, (0.3, 0.1))
        out = run(picture, (64, 64), h)
        assert psnr(out, supersampled(picture, (64, 64), h)) > least


def test_turned_pictures_equal_torchvision():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    picture = smooth(120, 120)
    image = torch.from_numpy(picture).permute(2, 0, 1).float()
    bilinear = functional.InterpolationMode.BILINEAR
    turned = functional.affine(image, -20.0, [0, 0], 1.0, [0.0, 0.0], interpolation=bilinear)
    out = run(picture, (120, 120), affine(120, 120, (120, 120), 1, 20, 1, 0, (0, 0)))
    inner = np.s_[:, 30:90, 30:90]  # torchvision fills with black outside of the picture
    assert psnr(out[inner], turned.numpy()[inner]) > 100


huge = st.floats(allow_nan=False, allow_infinity=False, width=64)


@pytest.mark.parametrize("isa", ISAS)
@settings(max_examples=200)
@given(
    st.lists(st.one_of(huge, st.floats(-3, 3), st.just(0.0)), min_size=14, max_size=14),
    sizes,
    sizes,
)
def test_hostile_maps_give_colors_of_the_picture(isa, numbers, width, height):
    picture = np.full((height, width, 3), 77, np.uint8)
    h, lens = np.array(numbers[:9]).reshape(3, 3), numbers[9:]
    out = run(picture, (9, 21), h, isa, lens=lens)
    np.testing.assert_allclose(out, 77, atol=1e-3)


def test_a_map_that_shows_all_of_a_large_picture_stays_small():
    picture = noise(3000, 2000)
    h = affine(3000, 2000, (16, 16), 1, 45, 1, 0, (0, 0))
    h[2, :2] = 0.2, -0.21  # the horizon crosses the picture
    assert np.isfinite(run(picture, (16, 16), h)).all()


@pytest.mark.parametrize("isa", ISAS)
@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 2**31))
def test_mean_is_exact(isa, width, height, seed):
    picture = noise(width, height, seed)
    with kernels.using_isa(isa):
        mean = kernels.mean_rgb(picture)
    np.testing.assert_allclose(mean, picture.reshape(-1, 3).mean(0), rtol=1e-12)


def test_mean_of_white_does_not_overflow():
    assert kernels.mean_rgb(np.full((600, 700, 3), 255, np.uint8)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"picture": np.zeros((4, 4, 4), np.uint8)}, ShapeError, r"got uint8 \(4, 4, 4\)"),
        ({"picture": np.zeros((4, 4, 3))}, ShapeError, r"got float64 \(4, 4, 3\)"),
        ({"picture": np.zeros((0, 4, 3), np.uint8)}, ShapeError, "with pixels in it"),
        ({"picture": np.zeros((4, 8, 3), np.uint8)[:, ::2]}, ShapeError, "not contiguous"),
        ({"out": np.zeros((1, 4, 4), np.float32)}, ShapeError, r"an array \(3, h, w\) of float32"),
        ({"out": np.zeros((3, 4, 4))}, ShapeError, "got float64"),
        ({"homography": np.full((3, 3), np.nan)}, OptionError, "homography holds a number"),
        ({"color": np.full((3, 4), np.inf)}, OptionError, "color holds a number"),
        ({"homography": np.eye(2)}, ShapeError, "homography needs 9 numbers, got 4"),
        ({"border": "wrap"}, OptionError, "one of reflect, edge, fill, got 'wrap'"),
    ],
)
def test_wrong_arguments_are_named(change, error, message):
    arguments = {
        "picture": np.zeros((4, 4, 3), np.uint8),
        "out": np.zeros((3, 4, 4), np.float32),
        "homography": np.eye(3),
        **PLAIN,
        **change,
    }
    with pytest.raises(error, match=message):
        kernels.warp(arguments.pop("picture"), arguments.pop("out"), **arguments)


def test_a_part_that_is_too_small_is_refused():
    part = np.zeros((20, 20, 3), np.uint8)
    color = np.eye(3, 4)
    options = {"color": color, "low": np.zeros(3), "high": np.full(3, 255), "homography": np.eye(3)}
    out = np.empty((3, 16, 16), np.float32)
    left, top, right, bottom = kernels.reach(np.eye(3), None, "edge", (90, 80), 16)
    assert left == top == 0 and 16 <= right == bottom <= 17
    kernels.warp(part, out, part_of=(90, 80, 0, 0), **options)
    with pytest.raises(ValueError, match="too small a part"):
        kernels.warp(part, out, part_of=(90, 80, 1, 0), **options)
    with pytest.raises(ValueError, match="not a part"):
        kernels.warp(part, out, part_of=(90, 80, 71, 0), **options)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("layout", ["planes", "channels last", "other"])
@pytest.mark.parametrize("degrees", [0, 20])
def test_bytes_and_bfloat16_are_the_rounded_floats(isa, layout, degrees):
    def slot(dtype):
        if layout == "planes":
            return np.full((3, 33, 35), 77, dtype)
        if layout == "channels last":
            return np.full((33, 35, 3), 77, dtype).transpose(2, 0, 1)
        return np.full((3, 33, 70), 77, dtype)[:, :, ::2]

    h = affine(61, 47, (33, 35), 1.2, degrees, 1.1, degrees / 200, (2, 3))
    options = {"homography": h, "color": 0.9 * np.eye(3, 4), "low": np.zeros(3), "high": [250] * 3}
    floats, octets, halves = slot(np.float32), slot(np.uint8), slot(np.uint16)
    with kernels.using_isa(isa):
        for out in (floats, octets, halves):
            kernels.warp(smooth(61, 47), out, **options)
    np.testing.assert_array_equal(octets, np.floor(floats + np.float32(0.5)).astype(np.uint8))
    bits = floats.astype(np.float32).copy().view(np.uint32)
    np.testing.assert_array_equal(halves, (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)


def run_into(out, **change):
    options = {"homography": np.eye(3), **PLAIN, **change}
    kernels.warp(smooth(9, 9), out, **options)


def test_bytes_need_a_range_of_bytes():
    out = np.empty((3, 4, 4), np.uint8)
    with pytest.raises(OptionError, match=r"bytes need low and high in 0\.\.255"):
        run_into(out, low=np.full(3, -1.0))
