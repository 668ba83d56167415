"""Convolutions computed fast: im2col, direct, depthwise, Winograd and FFT, chosen per layer.

conv2d(x, w, bias, padding=1)          compute one
prepare(spec, w, bias)(x)              pack the filters once, call often
candidates(spec), choose(spec)         what can compute it, what does, and why
"""

from darter.conv.algorithms import ALGORITHMS, Algorithm, candidates
from darter.conv.choice import MAX_ERROR, Choice, choose
from darter.conv.prepared import ACTIVATIONS, PreparedConv, conv2d, prepare
from darter.conv.spec import ConvSpec
from darter.conv.tune import Timing, autotune

__all__ = [
    "ACTIVATIONS",
    "ALGORITHMS",
    "MAX_ERROR",
    "Algorithm",
    "Choice",
    "ConvSpec",
    "PreparedConv",
    "Timing",
    "autotune",
    "candidates",
    "choose",
    "conv2d",
    "prepare",
]
