import numpy as np
import pytest

from darter.conv import ALGORITHMS, ConvSpec, candidates, conv2d
from tests.references.convolution import conv2d_reference


@pytest.mark.parametrize("filters", [(3, 3), (5, 5), (1, 3), (7, 1), (7, 7)], ids=str)
@pytest.mark.parametrize("channels", [16, 128])
def test_errors_are_what_the_chooser_expects(channels, filters):
    r, s = filters
    spec = ConvSpec((1, channels, 24, 24), (24, channels, r, s), padding=(r // 2, s // 2))
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape, np.float32) for shape in (spec.x, spec.w))
    truth = conv2d_reference(spec, x, w)
    for name in candidates(spec):
        error = conv2d(x, w, padding=spec.padding, algorithm=name) - truth
        measured = np.sqrt(np.mean(error**2) / np.mean(truth**2))
        expected = ALGORITHMS[name].error(spec)
        assert expected / 2.5 < measured < expected * 1.3, (name, measured, expected)
