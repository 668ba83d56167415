import numpy as np
import pytest

from darter.conv import ConvSpec, candidates, choose, prepare
from darter.errors import OptionError, ShapeError, UnsupportedError

LAYER = ConvSpec((1, 64, 56, 56), (128, 64, 3, 3), padding=1)


def test_choice_is_explained():
    choice = choose(LAYER)
    assert choice.algorithm.startswith("winograd")
    assert set(choice.reasons) >= set(candidates(LAYER))
    assert "products of" in str(choice)
    assert choice.reasons["depthwise"].startswith("refused: needs as many groups")


def test_error_budget_refuses_large_tiles():
    tight = choose(LAYER, max_error=5e-7)
    assert tight.algorithm in ("direct", "winograd-2", "fft-16")
    assert "above 5.0e-07" in tight.reasons["winograd-6"]


def test_memory_cap_refuses_unfolding():
    choice = choose(LAYER, max_memory=2_500_000)
    assert "MB of workspace above 2.5 MB" in choice.reasons["im2col"]
    assert "17.0 MB of filters" in choose(LAYER, max_memory=9_000_000).reasons["fft-16"]
    with pytest.raises(UnsupportedError, match="MB of filters"):
        choose(LAYER, max_memory=1)


def test_what_would_be_possible_is_said():
    with pytest.raises(UnsupportedError, match=r"least error is 2\.\d+e-07 \(fft-16\), the least"):
        choose(LAYER, max_error=1e-12)


@pytest.mark.parametrize(
    "spec",
    [
        LAYER,
        ConvSpec((1, 3, 30, 30), (64, 3, 7, 7), stride=2),
        ConvSpec((1, 128, 9, 9), (128, 4, 3, 3), padding=1, groups=32),
        ConvSpec((1, 50, 9, 9), (50, 1, 7, 7), padding=3, groups=50),
    ],
    ids=str,
)
def test_packed_filters_take_what_is_expected(spec):
    for name, algorithm in candidates(spec).items():
        packed = prepare(spec, np.zeros(spec.w, np.float32), algorithm=name).weight_bytes
        assert packed <= algorithm.weight_bytes(spec) * 1.35 + 64, name
        assert packed >= algorithm.weight_bytes(spec) / 2, name  # AVX2 packs groups tighter


def test_depthwise_layers_get_the_depthwise_kernel():
    spec = ConvSpec((1, 96, 56, 56), (96, 1, 3, 3), padding=1, groups=96)
    assert choose(spec).algorithm == "depthwise"


@pytest.mark.parametrize(
    "text",
    [
        "1,64,56,56/128,64,3,3/padding=1",
        "2,3,224,224/64,3,7,7/stride=2/padding=3",
        "1,8,9,9/8,4,3,5/padding=1,2,3,4/dilation=2,1/groups=2",
    ],
)
def test_specs_are_read_as_they_are_written(text):
    assert str(ConvSpec.parse(text)) == text


def test_multiply_adds_are_those_of_the_lecture():
    c, size = 32, 20  # one 7x7: 49 HWC², one 3x3: 9 HWC²
    for side, factor in ((7, 49), (3, 9)):
        spec = ConvSpec((1, c, size, size), (c, c, side, side), padding=side // 2)
        assert spec.multiply_adds == factor * size * size * c * c


def test_bad_specs_are_named():
    with pytest.raises(OptionError, match="cannot read the convolution"):
        ConvSpec.parse("1,2,3")
    with pytest.raises(ShapeError, match="groups must divide"):
        ConvSpec((1, 6, 4, 4), (4, 3, 1, 1), groups=4)
    with pytest.raises(OptionError, match="padding must be"):
        ConvSpec((1, 6, 4, 4), (4, 6, 1, 1), padding=(1, 2, 3))


def test_damaged_sizes_are_refused():
    with pytest.raises(ShapeError, match="sizes must be positive"):
        ConvSpec((1, 3, 8, 8), (0, 3, 3, 3))
    with pytest.raises(OptionError, match="from 0 to 4096"):
        ConvSpec((1, 3, 8, 8), (4, 3, 3, 3), padding=10**9, stride=10**9)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_error": float("nan")}, "max_error must be a number above 0, got nan"),
        ({"max_error": "a"}, "max_error must be a number"),
        ({"max_memory": -1}, "max_memory must be a number of bytes, got -1"),
    ],
)
def test_limits_that_make_no_sense_are_named(limits, says):
    with pytest.raises(OptionError, match=says):
        choose(ConvSpec((1, 16, 8, 8), (16, 16, 3, 3)), **limits)


@pytest.mark.parametrize("options", [{"stride": 1.5}, {"padding": "same"}, {"dilation": (1, "2")}])
def test_shapes_are_whole_numbers(options):
    with pytest.raises(OptionError, match=f"{next(iter(options))} must be one"):
        ConvSpec((1, 16, 8, 8), (16, 16, 3, 3), **options)
    assert ConvSpec((1, 16, 8, 8), (16, 16, 3, 3), stride=np.int64(2)).out_hw == (3, 3)


@pytest.mark.parametrize("channels, side", [(256, 2), (512, 2), (512, 3)])
def test_maps_of_few_pixels_are_not_unfolded(channels, side):
    """Filters would be packed anew in every run, for products with hardly any pixels."""
    spec = ConvSpec((1, channels, side, side), (channels, channels, 3, 3), padding=(1, 1, 1, 1))
    assert choose(spec).algorithm != "im2col"
