"""LSTM and GRU: the products with the input at once, then one step of time after the other."""

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import integer, text
from darter.net.translate.context import Translation

Weights = NDArray[np.float32]
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


def lstm(net: Translation, source: Node) -> None:
    """Inputs x, w, r, b, lengths, state h, state c, peepholes; outputs all h, last h, last c."""
    if any(source.outputs[2:]):
        raise UnsupportedError("its last cell state as output is not supported")
    if any(source.inputs[7:]):
        raise UnsupportedError("peepholes are not supported")
    if integer(source, "input_forget", 0):
        raise UnsupportedError("coupled gates are not supported")
    _check_plain(net, source, ("Sigmoid", "Tanh", "Tanh"), states=(5, 6))
    _recurrent(net, source, "lstm", 4)


def gru(net: Translation, source: Node) -> None:
    """Inputs x, w, r, b, lengths, state h; outputs all h, last h."""
    _check_plain(net, source, ("Sigmoid", "Tanh"), states=(5,))
    after = integer(source, "linear_before_reset", 0)
    _recurrent(net, source, "gru_reset_after" if after else "gru", 3)


def _check_plain(
    net: Translation, source: Node, activations: tuple[str, ...], states: tuple[int, ...]
) -> None:
    """UnsupportedError unless it starts from zero, runs to the end and has the usual functions."""
    given = source.attributes.get("activations")
    usual = activations * len(_directions(source))
    if given is not None and tuple(str(each).lower() for each in given) != tuple(
        each.lower() for each in usual
    ):
        raise UnsupportedError(f"activations {given} are not supported, only {usual}")
    if source.attributes.get("clip") is not None:
        raise UnsupportedError("clipped gates are not supported")
    lengths = net.sizes(source, 4)
    steps = net.shape(source.inputs[0])[1 if integer(source, "layout", 0) else 0]
    if lengths is not None and any(set(each) != {steps} for each in lengths):
        raise UnsupportedError("pictures of several lengths are not supported")
    for number in states:
        if number < len(source.inputs) and source.inputs[number]:
            first, second = net.values.get(source.inputs[number], (None, None))
            if first is None or second is None or first.any() or second.any():
                raise UnsupportedError("begins in a state that is not zero")


def _directions(source: Node) -> tuple[bool, ...]:
    return DIRECTIONS[text(source, "direction", "forward")]


def _recurrent(net: Translation, source: Node, kind: str, gates: int) -> None:
    x, batch_first = source.inputs[0], bool(integer(source, "layout", 0))
    if len(net.shape(x)) != 3:
        raise ModelFileError(f"works on (steps, N, C); its input has rank {len(net.shape(x))}")
    directions = _directions(source)
    w, r, b = (net.constant(source, number) for number in (1, 2, 3))
    if w is None or r is None or w.ndim != 3 or r.ndim != 3:
        raise ModelFileError("has no weights (directions, gates, inputs)")
    size = r.shape[2]
    b = np.zeros((len(directions), 2 * gates * size), np.float32) if b is None else b
    expected = (len(directions), gates * size)
    if (*w.shape[:2],) != expected or r.shape != (*expected, size) or b.shape[1] != 2 * expected[1]:
        raise ModelFileError(f"weights {w.shape}, {r.shape} and {b.shape} do not fit together")
    if not batch_first:
        x = net.emit("Transpose", source, (x,), net.between(source, "first"), order=(1, 0, 2))
    hidden = [
        _direction(net, source, x, (w[k], r[k], b[k]), kind, backward)
        for k, backward in enumerate(directions)
    ]
    if source.outputs[0]:
        _all_steps(net, source, hidden, batch_first)
    if len(source.outputs) > 1 and source.outputs[1]:
        _last_step(net, source, hidden, directions, batch_first)


def _direction(
    net: Translation,
    source: Node,
    x: str,
    weights: tuple[Weights, Weights, Weights],
    kind: str,
    backward: bool,
) -> str:
    """The name of (N, steps, hidden)."""
    (w, r, b), way = weights, "backward" if backward else "forward"
    size, own = r.shape[1], np.zeros(r.shape[1], np.float32)
    input_bias, bias = np.split(b, 2)
    if kind == "gru_reset_after":  # the candidate's bias of h is within the reset
        own, bias = bias[2 * size :], np.concatenate((bias[: 2 * size], own))
    names = (
        net.weight(source, f"{way}.w", w),
        net.weight(source, f"{way}.b", input_bias + bias),
    )
    gates = net.emit("Gemm", source, (x, *names), net.between(source, f"{way}.gates"))
    inner = (
        gates,
        net.weight(source, f"{way}.r", r),
        net.weight(source, f"{way}.rb", own),
    )
    return net.emit(
        "Recurrent", source, inner, net.between(source, f"{way}.h"), kind=kind, backward=backward
    )


def _all_steps(net: Translation, source: Node, hidden: list[str], batch_first: bool) -> None:
    """(steps, directions, N, hidden), or (N, steps, directions, hidden)."""
    n, steps, size = net.shape(hidden[0])
    apart = [
        net.emit("Reshape", source, (h,), f"{h}.apart", shape=(n, steps, 1, size)) for h in hidden
    ]
    joined = apart[0]
    if len(apart) > 1:
        joined = net.emit("Concat", source, apart, net.between(source, "both"), axis=2)
    order = (0, 1, 2, 3) if batch_first else (1, 2, 0, 3)
    net.emit("Transpose", source, (joined,), source.outputs[0], order=order)


def _last_step(
    net: Translation,
    source: Node,
    hidden: list[str],
    directions: tuple[bool, ...],
    batch_first: bool,
) -> None:
    """(directions, N, hidden), or (N, directions, hidden)."""
    _, steps, _ = net.shape(hidden[0])
    assert steps is not None
    ends = []
    for h, backward in zip(hidden, directions, strict=True):
        at = 0 if backward else steps - 1
        ends.append(
            net.emit("Slice", source, (h,), f"{h}.last", axis=1, start=at, stop=at + 1, step=1)
        )
    joined = ends[0]
    if len(ends) > 1:
        joined = net.emit("Concat", source, ends, net.between(source, "ends"), axis=1)
    order = (0, 1, 2) if batch_first else (1, 0, 2)
    net.emit("Transpose", source, (joined,), source.outputs[1], order=order)
