"""What looks at neighboring pixels: pools, resizing, padding."""

from collections.abc import Callable
from math import floor

import numpy as np
from numpy.typing import NDArray

from darter.errors import UnsupportedError
from darter.kernels import BLOCKED, FLOATS, steps
from darter.net.graph import Node
from darter.net.plan.builder import Builder

Taps = tuple[int, list[int], list[float]]  # how many per output, their indices and weights


def pool(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    mean = node.op == "AveragePool"
    numbers = [*given["kernel"], *given["strides"], *given["pads"], *given["dilations"]]
    _pool(build, node, numbers, mean, bool(given.get("count_padding")))


def global_pool(build: Builder, node: Node) -> None:
    h, w = build.shapes[node.inputs[0]][2:]
    _pool(build, node, [h, w, 1, 1, 0, 0, 0, 0, 1, 1], node.op == "GlobalAveragePool", False)


def _pool(build: Builder, node: Node, numbers: list[int], mean: bool, count_padding: bool) -> None:
    x = build.blocked(node.inputs[0], 1, FLOATS)
    y = build.new(node.output, build.kept(node.output))
    build.emit(steps.pool_step(x.array, y.array, numbers, mean, count_padding), [x], [y])


def pad(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    shape, pads = build.shapes[node.inputs[0]], given["pads"]
    rank = len(shape)
    moved = [axis for axis in range(rank) if pads[axis] or pads[axis + rank]]
    if rank != 4 or not set(moved) <= {2, 3}:
        raise UnsupportedError(f"{node}: pads axes {moved} of {shape}; only rows and columns run")
    rows, columns = (
        _padding(shape[axis], pads[axis], pads[axis + 4], given["mode"]) for axis in (2, 3)
    )
    _resample(build, node, rows, columns, given["value"])


def resize(build: Builder, node: Node) -> None:
    given = build.attributes(node)
    shape = build.shapes[node.inputs[0]]
    rows, columns = (
        _sampling(shape[axis + 2], given["size"][axis], given["scales"][axis], given)
        for axis in (0, 1)
    )
    _resample(build, node, rows, columns, 0.0)


def _resample(build: Builder, node: Node, rows: Taps, columns: Taps, border: float) -> None:
    x = build.blocked(node.inputs[0])
    y = build.new(node.output, BLOCKED)
    build.emit(steps.resample_step(x.array, y.array, rows, columns, border), [x], [y])


def _padding(size: int, before: int, after: int, mode: str) -> Taps:
    at = np.arange(-before, size + after)
    if mode == "constant":
        at = np.where((at < 0) | (at >= size), -1, at)
    elif mode == "edge":
        at = np.clip(at, 0, size - 1)
    elif mode == "reflect":
        at = np.abs(at)
        at = np.where(at >= size, 2 * (size - 1) - at, at)
    else:
        raise UnsupportedError(f"padding mode {mode!r} is not known")
    return 1, at.tolist(), [1.0] * len(at)


def _sampling(size: int, out: int, scale: float, given: dict) -> Taps:
    places = _places(size, out, scale, given["coordinates"])
    if given["mode"] == "nearest":
        rounded = ROUNDINGS[given["nearest"]](places)
        return 1, np.clip(rounded, 0, size - 1).astype(int).tolist(), [1.0] * out
    if given["mode"] not in ("linear", "cubic"):
        raise UnsupportedError(f"resizing mode {given['mode']!r} is not known")
    reach = 1 if given["mode"] == "linear" else 2
    index: list[int] = []
    weights: list[float] = []
    for place in places.tolist():
        first = floor(place)
        near = range(first - reach + 1, first + reach + 1)
        line = [_weight(place - at, given) for at in near]
        if given["exclude_outside"]:
            line = [w if 0 <= at < size else 0.0 for w, at in zip(line, near, strict=True)]
        index += [min(max(at, 0), size - 1) for at in near]
        weights += [w / sum(line) for w in line]
    return 2 * reach, index, weights


def _weight(distance: float, given: dict) -> float:
    t = abs(distance)
    if given["mode"] == "linear":
        return max(0.0, 1 - t)
    a = given["cubic"]
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0


def _places(size: int, out: int, scale: float, coordinates: str) -> NDArray[np.float32]:
    """Where the output pixels lie in the input, in pixels; 0 is the middle of the first one.

    In float32, as ONNX Runtime computes them: which pixel is nearest hangs on the last bit.
    """
    i, s, half = np.arange(out, dtype=np.float32), np.float32(scale), np.float32(0.5)
    if coordinates == "asymmetric":
        return i / s
    if coordinates == "align_corners":
        return i * np.float32(size - 1) / np.float32(out - 1) if out > 1 else i
    if coordinates == "pytorch_half_pixel" and out == 1:
        return i
    if coordinates in ("half_pixel", "pytorch_half_pixel"):
        return (i + half) / s - half
    if coordinates == "half_pixel_symmetric":
        cut = np.float32(size) * half * (1 - np.float32(out) / (s * np.float32(size)))
        return (float(cut) + (i + 0.5).astype(float) / float(s) - 0.5).astype(np.float32)
    raise UnsupportedError(f"resizing coordinates {coordinates!r} are not known")


def _exact_halves(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """A place that misses the middle of two pixels by float32's rounding is in the middle."""
    half = np.floor(places) + np.float32(0.5)
    return np.where(np.abs(places - half) <= HALF_WITHIN, half, places)


HALF_WITHIN = 1e-6  # pixels; as in ONNX Runtime
ROUNDINGS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda places: np.ceil(_exact_halves(places) - np.float32(0.5)),
    "round_prefer_ceil": lambda places: np.floor(_exact_halves(places) + np.float32(0.5)),
}
