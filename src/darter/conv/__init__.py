"""Convolutions computed fast: im2col, direct, depthwise, Winograd and FFT, chosen per layer.

conv2d(x, w, bias, padding=1)          compute one
prepare(spec, w, bias)(x)              pack the filters once, call often
candidates(spec), choose(spec)         what can compute it, what does, and why
"""

from darter.conv.algorithms import ALGORITHMS, Algorithm, candidates
from darter.conv.choice import MAX_ERROR, Choice, admitted, choose
from darter.conv.prepared import ACTIVATIONS, PreparedConv, conv2d, prepare
from darter.conv.remembered import recall
from darter.conv.spec import MOST_PADDING, ConvSpec
from darter.conv.tune import Timing, autotune, now

__all__ = [
    "ACTIVATIONS",
    "ALGORITHMS",
    "MAX_ERROR",
    "MOST_PADDING",
    "Algorithm",
    "Choice",
    "ConvSpec",
    "PreparedConv",
    "Timing",
    "admitted",
    "autotune",
    "candidates",
    "choose",
    "conv2d",
    "now",
    "prepare",
    "recall",
]
