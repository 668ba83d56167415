"""The operations a net is made of after it is read: one visible table.

The planner, the reference executor, the passes and the tests read the same `OPS`. Every tensor is
float32 with the pictures on its first axis; (N, C, H, W) where there are four.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from darter.kernels import ActivationKind
from darter.net import shapes
from darter.net.graph import NOTHING

Dims = tuple[int, ...]
ShapeRule = Callable[[Mapping[str, Any], list[Dims]], list[Dims]]


@dataclass(frozen=True)
class Activation:
    """A function of one number. `a` and `b` are its parameters.

    relu   clip: min(max(x, a), b)   leaky_relu: a x below 0   elu: a (exp(x) - 1) below 0
    sigmoid   hard_sigmoid: clip(a x + b, 0, 1)   swish: x sigmoid(x)
    hard_swish: x clip(x / 6 + 1/2, 0, 1)   gelu: by erf   gelu_tanh   tanh   softplus
    mish: x tanh(softplus(x))   round_clip: the whole number nearest to x, ties to even, within
    whole a and b of a quantized net   only before passes: erf   exp   sqrt   reciprocal
    power: x ** a
    """

    kind: str
    a: float = 0.0
    b: float = 0.0


HELPERS = ("erf", "exp", "sqrt", "reciprocal", "power", "round_clip")  # parts of larger patterns
ACTIVATIONS = tuple(
    kind.name for kind in ActivationKind if kind.name != "none" and kind.name not in HELPERS
)


@dataclass(frozen=True)
class Op:
    """What one operation takes.

    inputs: names in order, "?" after an optional one, "*" for any number. Those in `constants`
    are always weights of the graph.   attributes: name -> default; REQUIRED has none.
    """

    inputs: str
    shape: ShapeRule
    constants: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


REQUIRED = "required"
# A product with what may follow it: y = f(x w + b) + residual, or y = f(x w + b + residual) where
# `activation_after_residual`. The residual has the output's shape.
FUSED = {"activation": None, "activation_after_residual": False}
WINDOW = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}  # pads: t, l, b, r

OPS: dict[str, Op] = {
    # w (K, C / group, R, S), b (K,); border: what pads are filled with, zeros, or in depthwise
    # convolutions reflect or edge (see Pad)
    "Conv": Op(
        "x w b residual?",
        shapes.conv,
        ("w", "b"),
        {**WINDOW, "group": 1, "border": "zeros", **FUSED},
    ),
    # 1 where x >= threshold (C,), else -1; lies in memory as bits
    "Binarize": Op("x threshold", shapes.binarize, ("threshold",)),
    # of x from a Binarize and the signs of w (0 is 1): v = conv(x, sign(w)) * scale + bias +
    # residual; y = v where v >= 0, else v * slope; plus shift. What follows w is (K,)
    "BinaryConv": Op(
        "x w scale bias slope shift residual?",
        shapes.binary_conv,
        ("w", "scale", "bias", "slope", "shift"),
        WINDOW,
    ),
    # likewise conv(x, sign(w)) * scale + bias, of which a Binarize with this threshold (K,)
    "BinaryConvBits": Op(
        "x w scale bias threshold", shapes.binary_conv, ("w", "scale", "bias", "threshold"), WINDOW
    ),
    # q = round(x / step) + zero within 0 and 255, ties to even; lies in memory as uint8
    "Quantize": Op("x", shapes.rows_or_picture, (), {"step": REQUIRED, "zero": REQUIRED}),
    # (q - zero) * scale
    "Dequantize": Op("x", shapes.rows_or_picture, (), {"scale": REQUIRED, "zero": REQUIRED}),
    # of integers x of a picture or of a row (N, C), pads being x_zero, and whole numbers w (int8)
    # and bias (K,) (int32): q = round((conv(x - x_zero, w) + bias) * scale) + zero within low, high
    "IntegerConv": Op(
        "x w bias scale",
        shapes.integer_conv,
        ("w", "bias", "scale"),
        {**WINDOW, "group": 1, "x_zero": REQUIRED, "zero": REQUIRED, "low": 0, "high": 255},
    ),
    # of integers of the same shape: q = round((a - zeros[0]) * scales[0] + (b - zeros[1]) *
    # scales[1]) + zero within low and high
    "IntegerAdd": Op(
        "a b",
        shapes.integer_add,
        (),
        {"zeros": REQUIRED, "scales": REQUIRED, "zero": REQUIRED, "low": 0, "high": 255},
    ),
    # q = round((x - x_zero) * scale) + zero within low and high
    "IntegerScale": Op(
        "x",
        shapes.rows_or_picture,
        (),
        {"x_zero": REQUIRED, "scale": REQUIRED, "zero": REQUIRED, "low": 0, "high": 255},
    ),
    "IntegerMaxPool": Op("x", shapes.pool, (), {"kernel": REQUIRED, **WINDOW, "ceil": False}),
    "IntegerConcat": Op("*", shapes.integer_concat),  # channels of pictures, or of rows
    "IntegerReshape": Op("x", shapes.reshape, (), {"shape": REQUIRED}),  # pictures to rows
    # x (N, ..., C), w (K, C), b (K,) -> (N, ..., K)
    "Gemm": Op("x w b residual?", shapes.gemm, ("w", "b"), FUSED),
    # ceil: the last window may begin inside the image and end outside of it and its padding
    "MaxPool": Op("x", shapes.pool, (), {"kernel": REQUIRED, **WINDOW, "ceil": False}),
    # count_padding: whether the padding counts in the mean's denominator
    "AveragePool": Op(
        "x", shapes.pool, (), {"kernel": REQUIRED, **WINDOW, "ceil": False, "count_padding": False}
    ),
    "GlobalAveragePool": Op("x", shapes.global_pool),  # (N, C, H, W) -> (N, C, 1, 1)
    "GlobalMaxPool": Op("x", shapes.global_pool),
    # function: add, sub, mul, div, pow, min, max; less, less_equal, equal, which give 1 or 0;
    # numpy's broadcasting; either may be a weight
    "Eltwise": Op("a b", shapes.eltwise, (), {"function": REQUIRED, "activation": None}),
    "Activation": Op("x", shapes.same, (), {"activation": REQUIRED}),
    "PRelu": Op("x slope", shapes.eltwise, ("slope",)),  # slope broadcasts to x
    # y = x * scale + shift, per channel (axis 1): scale (C,), shift (C,)
    "Scale": Op("x scale shift", shapes.scale, ("scale", "shift"), {"activation": None}),
    "Concat": Op("*", shapes.concat, (), {"axis": REQUIRED}),
    # outputs: as many as sizes
    "Split": Op("x", shapes.split, (), {"axis": REQUIRED, "sizes": REQUIRED}),
    # start >= 0, stop <= size, step >= 1 of one axis
    "Slice": Op(
        "x", shapes.slice_, (), {"axis": REQUIRED, "start": 0, "stop": REQUIRED, "step": 1}
    ),
    # y = some channels (axis 1); sources: of each, (number of the input, its channel)
    "Channels": Op("*", shapes.channels, (), {"sources": REQUIRED}),
    # the places of one axis, in this order; each from 0 on
    "Take": Op("x", shapes.take, (), {"axis": REQUIRED, "places": REQUIRED}),
    "Reshape": Op("x", shapes.reshape, (), {"shape": REQUIRED}),  # None: the number of pictures
    "Transpose": Op("x", shapes.transpose, (), {"order": REQUIRED}),
    # likewise; where x has no pictures, those of the first axis of `like`
    "Expand": Op("x like?", shapes.expand, (), {"shape": REQUIRED}),
    # pads: before each axis, then after each axis, as in ONNX; mode: constant, reflect, edge
    "Pad": Op("x", shapes.pad, (), {"pads": REQUIRED, "mode": "constant", "value": 0.0}),
    # (N, C, H, W) to size (H', W'); mode: nearest, linear, cubic; scales as ONNX applies them
    "Resize": Op(
        "x",
        shapes.resize,
        (),
        {
            "size": REQUIRED,
            "scales": REQUIRED,
            "mode": "nearest",
            "coordinates": "half_pixel",
            "nearest": "round_prefer_floor",
            "cubic": -0.75,
            "exclude_outside": False,
        },
    ),
    "LRN": Op("x", shapes.same, (), {"size": REQUIRED, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}),
    # normalizes all axes from `axis` on; scale and shift have the shape of these axes
    "LayerNorm": Op(
        "x scale shift", shapes.same, ("scale", "shift"), {"axis": -1, "epsilon": 1e-5}
    ),
    # (N, C, H, W): each pixel's channels are normalized; scale (C,), shift (C,)
    "ChannelNorm": Op("x scale shift", shapes.scale, ("scale", "shift"), {"epsilon": 1e-5}),
    # (N, C, ...): each of so many groups of channels is normalized over all its pixels
    "GroupNorm": Op(
        "x scale shift",
        shapes.group_norm,
        ("scale", "shift"),
        {"groups": REQUIRED, "epsilon": 1e-5},
    ),
    # (N, C a b, H, W) -> (N, C, a H, b W), square (a, b); channels_first: x is (N, C, a, b, H, W)
    # and not (N, a, b, C, H, W)
    "DepthToSpace": Op(
        "x", shapes.depth_to_space, (), {"square": REQUIRED, "channels_first": False}
    ),
    # a where the condition is not 0, else b; numpy's broadcasting
    "Where": Op("condition a b", shapes.eltwise),
    # the place of the largest value, or least, along an axis; of equals the first, or last
    "Arg": Op(
        "x", shapes.arg, (), {"axis": REQUIRED, "keep_dims": True, "least": False, "last": False}
    ),
    # the places of the `count` largest values of an axis, or the least, the largest first
    "TopPlaces": Op(
        "x", shapes.top_places, (), {"axis": REQUIRED, "count": REQUIRED, "least": False}
    ),
    # the values at these places of an axis; the other axes of both agree
    "GatherAlong": Op("x places", shapes.gather_along, (), {"axis": REQUIRED}),
    # boxes (N, P, 4), scores (N, C, P) -> (N, C, P), 1 for each box that stays where boxes overlap
    # by more than `overlap`, up to `most` of a class with scores above `least`; middles: boxes are
    # told by middle and sides, not by two corners
    "KeepBoxes": Op(
        "boxes scores",
        shapes.keep_boxes,
        (),
        {"most": REQUIRED, "overlap": REQUIRED, "least": REQUIRED, "middles": False},
    ),
    # x (N, C, H, W), boxes (N, R, 4) as x0, y0, x1, y1 -> (N, R, C, *bins): means, or maxima, over
    # the bins of a grid in each box, of `samples` bilinear samples along each axis (0: as many as a
    # bin is long). scale: pixels of x per pixel of the boxes; half_pixel: pixel 0 lies around 0.5
    "AlignRegions": Op(
        "x boxes",
        shapes.align_regions,
        (),
        {
            "bins": REQUIRED,
            "scale": 1.0,
            "samples": 0,
            "half_pixel": True,
            "maximum": False,
        },
    ),
    # gates (N, T, G H), the input's part of them with all biases, r (G H, H) -> (N, T, H); it
    # begins in a state of zeros. kind: lstm (gates i, o, f, c), gru (z, r, h), or gru_reset_after,
    # whose h has a bias (H,) of its own within the reset
    "Recurrent": Op(
        "gates r bias",
        shapes.recurrent,
        ("r", "bias"),
        {"kind": REQUIRED, "backward": False},
    ),
    "Softmax": Op("x", shapes.same, (), {"axis": -1, "log": False}),
    # function: mean, sum, max, min, prod, l2, ...
    "Reduce": Op(
        "x", shapes.reduce, (), {"function": REQUIRED, "axes": REQUIRED, "keep_dims": True}
    ),
    "MatMul": Op("a b", shapes.matmul),  # two tensors that are both computed
}


def attributes(op: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a node with every default filled in."""
    return {**OPS[op].attributes, **given}
