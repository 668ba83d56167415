import numpy as np
import pytest

from darter.conv import ALGORITHMS, ConvSpec, candidates, conv2d
from tests.references.convolution import conv2d_reference


@pytest.mark.parametrize("filters", [(3, 3), (5, 5), (1, 3), (7, 1), (7, 7)], ids=str)
@pytest.mark.parametrize("channels", [16, 128])
def test_errors_are_what_the_chooser_expects(channels, filters):
    r, s = filters
    check(ConvSpec((1, channels, 24, 24), (24, channels, r, s), padding=(r // 2, s // 2)))


@pytest.mark.parametrize("side", [3, 7, 15])
def test_errors_of_depthwise_layers_are_what_the_chooser_expects(side):
    check(ConvSpec((1, 64, 24, 24), (64, 1, side, side), padding=side // 2, groups=64))


def check(spec):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape, np.float32) for shape in (spec.x, spec.w))
    truth = conv2d_reference(spec, x, w)
    for name in candidates(spec):
        error = conv2d(x, w, padding=spec.padding, groups=spec.groups, algorithm=name) - truth
        measured = np.sqrt(np.mean(error**2) / np.mean(truth**2))
        expected = ALGORITHMS[name].error(spec)
        assert expected / 2.5 < measured < expected * 1.3, (name, measured, expected)
