"""Convolutions computed fast: im2col, direct, depthwise, Winograd and FFT, chosen per layer.

conv2d(x, w, bias, padding=1)          compute one
prepare(spec, w, bias)(x)              pack the filters once, call often
candidates(spec), choose(spec)         what can compute it, what does, and why
conv2d_input_gradient(dy, w, x_shape)  its gradients, likewise by GRADIENTS and choose_gradient;
conv2d_filter_gradient(x, dy, (3, 3))  conv_transpose2d(x, w) is the first, as a layer
"""

from darter.conv.algorithms import ALGORITHMS, Algorithm, candidates
from darter.conv.choice import MAX_ERROR, Choice, admitted, choose
from darter.conv.direct import Direct
from darter.conv.gradient_algorithms import GRADIENTS, gradient_parts
from darter.conv.gradients import (
    choose_gradient,
    conv2d_filter_gradient,
    conv2d_input_gradient,
    conv_transpose2d,
)
from darter.conv.prepared import ACTIVATIONS, PreparedConv, conv2d, prepare
from darter.conv.remembered import recall
from darter.conv.spec import MOST_PADDING, ConvSpec
from darter.conv.tune import Timing, autotune, now

__all__ = [
    "ACTIVATIONS",
    "ALGORITHMS",
    "GRADIENTS",
    "MAX_ERROR",
    "MOST_PADDING",
    "Algorithm",
    "Choice",
    "ConvSpec",
    "Direct",
    "PreparedConv",
    "Timing",
    "admitted",
    "autotune",
    "candidates",
    "choose",
    "choose_gradient",
    "conv2d",
    "conv2d_filter_gradient",
    "conv2d_input_gradient",
    "conv_transpose2d",
    "gradient_parts",
    "now",
    "prepare",
    "recall",
]
