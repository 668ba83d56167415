"""Convolutions to call: at once, or prepared for many calls."""

import numpy as np

from darter.conv.algorithms import ALGORITHMS
from darter.conv.choice import MAX_ERROR, Choice, check, choose
from darter.conv.spec import ConvSpec, Sizes, expect_spec
from darter.errors import OptionError, ShapeError
from darter.kernels import (
    NO_ACTIVATION,
    Activated,
    ActivationKind,
    Convolution,
    Floats,
    apart_from,
    as_float32,
    blocked_shape,
    check_out,
    prepare_convolution,
)

ACTIVATIONS: dict[str | None, Activated] = {
    None: NO_ACTIVATION,
    "relu": (ActivationKind.relu, 0.0, 0.0),
    "relu6": (ActivationKind.clip, 0.0, 6.0),
}


def conv2d(
    x: Floats,
    w: Floats,
    bias: Floats | None = None,
    *,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    algorithm: str = "auto",
    max_error: float = MAX_ERROR,
) -> np.ndarray:
    """Cross-correlate images with filters on the CPU.

        conv2d(x, w, padding=1)                          # (1, 64, 56, 56), (128, 64, 3, 3)
        conv2d(x, w, bias, stride=2, activation="relu")
        conv2d(x, w, padding=1, algorithm="winograd-4")

    x: float32 (N, C, H, W).   w: float32 (K, C / groups, R, S).   bias: float32 (K,) or None.
    Arrays of numpy, or anything that speaks DLPack; other numbers are rounded to float32.
    stride, dilation: pixels; one number or (vertical, horizontal).
    padding: zeros; one number, (vertical, horizontal) or (top, left, bottom, right).
    activation: None, "relu" or "relu6", applied to the result.
    algorithm: a key of `ALGORITHMS`, or "auto": the best within `max_error`, by remembered timings
    or by estimate (see `choose`).

    Returns float32 (N, K, (H + top + bottom - (R - 1)·dilation - 1) // stride + 1, likewise W).

    Raises ShapeError if channels disagree or the filter exceeds the padded image;
    UnsupportedError, with the reason, if `algorithm` refuses the shape.
    NaN in x makes every output that sees it NaN; Winograd and FFT also spoil the rest of its tile,
    and turn infinity into NaN. With groups, direct also makes those filters NaN that share a pair
    of blocks of 16 with a group that sees NaN or infinity. Accuracy: docs/accuracy.md.
    """
    x, w = as_float32("x", x), as_float32("w", w)
    spec = ConvSpec(x.shape, w.shape, stride, padding, dilation, groups)
    layer = prepare(spec, w, bias, activation=activation, algorithm=algorithm, max_error=max_error)
    return layer(x)


def prepare(
    spec: ConvSpec,
    w: Floats,
    bias: Floats | None = None,
    *,
    activation: str | None = None,
    algorithm: str = "auto",
    max_error: float = MAX_ERROR,
    max_memory: int | None = None,
) -> "PreparedConv":
    """Transform and pack the filters once, for many calls with images of one shape.

    Arguments as for `conv2d`; max_memory: bytes that its packed filters and
    workspace may take together, or None. An algorithm asked for by name is taken whatever
    max_error and max_memory say: they guide the choice of "auto".
    The active instruction set is fixed here.

    Raises ShapeError where w or bias is not what `spec` says, OptionError for an activation or an
    algorithm that there is not, UnsupportedError if the algorithm refuses the shape.
    """
    expect_spec(spec)
    w = np.ascontiguousarray(as_float32("w", w))
    if w.shape != spec.w:
        raise ShapeError(f"prepare: w has shape {w.shape}, the convolution expects {spec.w}")
    if bias is not None:
        bias = np.ascontiguousarray(as_float32("bias", bias))
        if bias.shape != spec.w[:1]:
            raise ShapeError(f"prepare: bias must be {spec.w[:1]}, got {bias.shape}")
    if activation not in ACTIVATIONS:
        known = ", ".join(str(name) for name in ACTIVATIONS)
        raise OptionError(f"unknown activation {activation!r}; choose from {known}")
    if algorithm == "auto":
        choice = choose(spec, max_error=max_error, max_memory=max_memory)
    else:
        check(spec, algorithm)
        explained = ALGORITHMS[algorithm].explain(spec)
        choice = Choice(algorithm, {algorithm: f"{explained}; asked for by name"})
    core_name = ALGORITHMS[choice.algorithm].core
    return PreparedConv(
        spec,
        choice,
        prepare_convolution(core_name, spec.numbers(), w, bias, ACTIVATIONS[activation]),
    )


class PreparedConv:
    """One layer, ready to run.

        layer = prepare(spec, w, bias, activation="relu")
        y = layer(x)                                  # plain (N, C, H, W) in and out
        layer(x, out=y, residual=shortcut)            # allocates nothing
        y = layer(to_blocked(x))                      # blocked in and out: chain layers like this

    spec: its shape.   choice: the algorithm and the reasons for it.
    """

    def __init__(self, spec: ConvSpec, choice: Choice, core: Convolution) -> None:
        self.spec = spec
        self.choice = choice
        self._core = core

    @property
    def weight_bytes(self) -> int:
        """Of the packed filters."""
        return self._core.weight_bytes

    @property
    def prefers(self) -> tuple[str, str]:
        """Layouts of x and out that need no conversion: "plain" or "blocked" each."""
        names = ("blocked", "plain")
        return names[self._core.plain_input], names[self._core.plain_output]

    def __call__(
        self, x: Floats, out: np.ndarray | None = None, residual: Floats | None = None
    ) -> np.ndarray:
        """Convolve, add `residual`, apply the activation.

        x: float32, plain `spec.x` or blocked.   out, residual: like the result: plain `spec.y`, or
        blocked. Without `out`, the result has the layout of x. residual may be out itself; what
        else overlaps `out` is copied first. x and residual may be what `conv2d` takes, out is a
        C-contiguous array of numpy.
        """
        x = np.ascontiguousarray(as_float32("x", x))
        x_blocked = _is_blocked("x", x, self.spec.x)
        if out is None:
            shape = blocked_shape(self.spec.y) if x_blocked else self.spec.y
            out = np.empty(shape, np.float32)
        else:
            check_out(out)
            x = apart_from(out, x)
        y_blocked = _is_blocked("out", out, self.spec.y)
        if residual is not None:
            residual = self._residual(residual, out, y_blocked)
        self._core.run(x, out, residual, x_blocked, y_blocked)
        return out

    def _residual(self, residual: Floats, out: np.ndarray, blocked: bool) -> np.ndarray:
        residual = np.ascontiguousarray(as_float32("residual", residual))
        if residual.shape != out.shape:
            layout = "blocked" if blocked else "plain"
            raise ShapeError(
                f"residual has shape {residual.shape}, but the result is {layout}, {out.shape}; "
                "darter.kernels.to_blocked and from_blocked convert"
            )
        same = residual.ctypes.data == out.ctypes.data
        return residual if same else apart_from(out, residual)

    def __repr__(self) -> str:
        return f"PreparedConv({self.spec}, {self.choice.algorithm})"


def _is_blocked(name: str, array: np.ndarray, shape: tuple[int, ...]) -> bool:
    if array.shape == shape:
        return False
    if array.shape == blocked_shape(shape):
        return True
    raise ShapeError(
        f"{name} has shape {array.shape}; this layer takes {shape}, or blocked "
        f"{blocked_shape(shape)}"
    )
