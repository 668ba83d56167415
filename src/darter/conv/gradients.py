"""The gradients of one convolution: with respect to its input, and to its filters."""

from dataclasses import replace

import numpy as np

from darter.conv.choice import MAX_ERROR, Choice
from darter.conv.gradient_algorithms import GRADIENTS, gradient_parts
from darter.conv.spec import ConvSpec, Sizes, expect_spec
from darter.errors import OptionError, ShapeError, UnsupportedError
from darter.kernels import (
    Floats,
    as_float32,
    blocked_shape,
    filter_gradient,
    from_blocked,
    input_gradient,
    threads,
    to_blocked,
)


def choose_gradient(
    spec: ConvSpec, of: str, *, algorithm: str = "auto", max_error: float = MAX_ERROR
) -> Choice:
    """What computes a gradient of this layer, and why; by estimated cycles, nothing is timed.

    spec: of the forward layer.   of: "input" or "filter".   algorithm: a key of `GRADIENTS[of]`, or
    "auto": the least estimate within `max_error` (root mean square, relative to the gradient's).
    Raises UnsupportedError, with the reasons, where nothing is allowed; OptionError for a gradient
    or an algorithm that there is not.
    """
    expect_spec(spec)
    if of not in GRADIENTS:
        raise OptionError(f'a gradient is of "input" or "filter", got {of!r}')
    known = GRADIENTS[of]
    if algorithm != "auto":
        if algorithm not in known:
            raise OptionError(
                f"unknown algorithm {algorithm!r} for the {of} gradient; choose from auto, "
                f"{', '.join(known)}"
            )
        why = known[algorithm].refuses(spec)
        if why is not None:
            raise UnsupportedError(
                f"{algorithm} cannot compute the {of} gradient of {spec}: it {why}"
            )
        return Choice(algorithm, {algorithm: known[algorithm].explain(spec)})
    reasons, cycles = {}, {}
    for name, each in known.items():
        why = each.refuses(spec)
        if why is None and each.error(spec) > max_error:
            why = f"error {each.error(spec):.1e} above {max_error:.1e}"
        if why is None:
            cycles[name] = each.estimate(spec, threads())
            why = f"{each.explain(spec)}; {cycles[name] / 1e6:.2f} Mcycles estimated"
            reasons[name] = why
        else:
            reasons[name] = f"refused: {why}"
    if not cycles:
        listed = "".join(f"\n  {name} {why}" for name, why in reasons.items())
        raise UnsupportedError(
            f"nothing may compute the {of} gradient of {spec}: raise max_error.{listed}"
        )
    return Choice(min(cycles, key=cycles.__getitem__), reasons)


def conv2d_input_gradient(
    dy: Floats,
    w: Floats,
    x_shape: tuple[int, int, int, int],
    *,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    algorithm: str = "auto",
    max_error: float = MAX_ERROR,
) -> np.ndarray:
    """The gradient of `conv2d(x, w, ...)` with respect to x, given that of its result.

        conv2d_input_gradient(dy, w, (8, 64, 56, 56), padding=1)  # (8, 64, 56, 56)

    dy: float32 (N, K, H', W').   w: float32 (K, C / groups, R, S).   x_shape: (N, C, H, W); strides
    leave it open.   The other options as for `conv2d`; algorithm: a key of `GRADIENTS["input"]`.
    Returns float32 of `x_shape`.

    Raises ShapeError where the shapes do not belong together, UnsupportedError if `algorithm`
    refuses.
    """
    dy, w = as_float32("dy", dy), as_float32("w", w)
    spec = ConvSpec(x_shape, w.shape, stride, padding, dilation, groups)
    _expect("dy", dy, spec.y, spec)
    name = choose_gradient(spec, "input", algorithm=algorithm, max_error=max_error).algorithm
    gradient = input_gradient(GRADIENTS["input"][name].core, spec.numbers())
    gradient.set_filters(np.ascontiguousarray(w))
    dx = np.empty(blocked_shape(spec.x), np.float32)
    gradient.run(to_blocked(dy), dx, False)
    return from_blocked(dx, spec.x[1])


def conv2d_filter_gradient(
    x: Floats,
    dy: Floats,
    filter_hw: tuple[int, int],
    *,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    algorithm: str = "auto",
    max_error: float = MAX_ERROR,
) -> np.ndarray:
    """The gradient of `conv2d(x, w, ...)` with respect to w, given that of its result.

        conv2d_filter_gradient(x, dy, (3, 3), padding=1)  # (K, C, 3, 3)

    x: float32 (N, C, H, W).   dy: float32 (N, K, H', W').   filter_hw: (R, S).   The other options
    as for `conv2d`; algorithm: a key of `GRADIENTS["filter"]`.
    Returns float32 (K, C / groups, R, S): sums over images and pixels, the same bits on any number
    of threads.

    Raises ShapeError where the shapes do not belong together, UnsupportedError if `algorithm`
    refuses.
    """
    x, dy = as_float32("x", x), as_float32("dy", dy)
    if x.ndim != 4 or dy.ndim != 4 or len(filter_hw) != 2:
        raise ShapeError(
            f"conv2d_filter_gradient: expected x (N, C, H, W), dy (N, K, H', W') and (R, S); got "
            f"{x.shape}, {dy.shape} and {filter_hw}"
        )
    channels = x.shape[1] // max(1, groups) if isinstance(groups, int) else x.shape[1]
    w_shape = (dy.shape[1], channels, *filter_hw)
    spec = ConvSpec(x.shape, w_shape, stride, padding, dilation, groups)
    _expect("dy", dy, spec.y, spec)
    name = choose_gradient(spec, "filter", algorithm=algorithm, max_error=max_error).algorithm
    gradient = filter_gradient(GRADIENTS["filter"][name].core, spec.numbers())
    dw = np.empty(spec.w, np.float32)
    gradient.run(to_blocked(x), to_blocked(dy), dw, gradient_parts(spec, gradient.sum_floats))
    return dw


def conv_transpose2d(
    x: Floats,
    w: Floats,
    bias: Floats | None = None,
    *,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> np.ndarray:
    """The transposed convolution: what `conv2d_input_gradient` computes, as a layer of its own.

        conv_transpose2d(x, w, stride=2, padding=1, output_padding=1)  # twice as high and wide

    x: float32 (N, K, H, W).   w: float32 (K, C / groups, R, S).   bias: float32 (C,) or None.
    output_padding: pixels more below and on the right, less than the stride or the dilation; a
    number or (vertical, horizontal). The other options as for `conv2d`.
    Returns float32 (N, C, (H - 1)·stride - top - bottom + (R - 1)·dilation + 1 + output_padding,
    likewise for W).

    Raises ShapeError where the shapes do not belong together, OptionError where output_padding is
    too large.
    """
    x, w = as_float32("x", x), as_float32("w", w)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[0]:
        raise ShapeError(
            "conv_transpose2d: expected x (N, K, H, W) and w (K, C / groups, R, S); got "
            f"{x.shape} and {w.shape}"
        )
    # Of the layer whose gradient this is; the smallest image gives a valid spec to read options
    # from.
    image = tuple(_largest(size, dilation) for size in w.shape[2:])
    like = ConvSpec((1, w.shape[1] * groups, *image), w.shape, stride, padding, dilation, groups)
    more = output_padding if isinstance(output_padding, tuple) else (output_padding,) * 2
    size = []
    for axis in (0, 1):
        step, spread = like.stride[axis], like.dilation[axis]
        if not 0 <= more[axis] < max(step, spread):
            raise OptionError(
                f"output_padding must be from 0 to {max(step, spread) - 1}, less than stride or "
                f"dilation; got {output_padding!r}"
            )
        around = like.padding[axis] + like.padding[axis + 2]
        reach = (w.shape[2 + axis] - 1) * spread + 1
        size.append((x.shape[2 + axis] - 1) * step - around + reach + more[axis])
    if min(size) < 1:
        raise ShapeError(f"conv_transpose2d: padding {padding} leaves nothing of {x.shape}")
    spec = replace(like, x=(x.shape[0], w.shape[1] * groups, *size))
    if spec.out_hw != x.shape[2:]:  # output_padding as large as the stride, by dilation
        raise OptionError(f"output_padding must be less than stride {like.stride}, got {more}")
    y = conv2d_input_gradient(
        x, w, spec.x, stride=stride, padding=padding, dilation=dilation, groups=groups,
        algorithm=algorithm,
    )  # fmt: skip
    if bias is not None:
        bias = as_float32("bias", bias)
        if bias.shape != (spec.x[1],):
            raise ShapeError(f"conv_transpose2d: bias must be ({spec.x[1]},), got {bias.shape}")
        y += bias[:, None, None]
    return y


def _largest(taps: int, dilation: Sizes) -> int:
    """An image side that any such filter fits into."""
    return taps * (max(dilation) if isinstance(dilation, tuple | list) else dilation)


def _expect(name: str, array: np.ndarray, shape: tuple[int, ...], spec: ConvSpec) -> None:
    if array.shape != shape:
        raise ShapeError(f"{name} must be {shape} for {spec}, got {array.shape}")
