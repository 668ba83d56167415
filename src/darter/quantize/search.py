"""Which settings, and which layers stay in float: measured on pictures apart from calibration.

Decisions are taken by the noise of the outputs, the mean squared difference from the float net's
over their variance: it is smooth where shares of labels are not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.quantize.net import FloatNet, Settings
from darter.quantize.ranges import METHODS

if TYPE_CHECKING:
    from onnx import ModelProto

Outputs = NDArray[np.float32]
Run = Callable[["ModelProto"], Outputs]  # a net's outputs for the held-out pictures
Lost = Callable[["ModelProto"], float]  # points that are lost against the float net
Say = Callable[[str], None]


@dataclass(frozen=True)
class Tried:
    """One way to quantize.   noise: of the outputs for held-out pictures."""

    settings: Settings
    noise: float


@dataclass(frozen=True)
class Sensitive:
    """A layer.   noise: of the outputs where this layer alone is in float and all else is not."""

    layer: str
    noise: float


@dataclass(frozen=True)
class Chosen:
    """model: the quantized net.   lost: as measured.   met: whether that is within the wish.

    net: the float net that it was made of, perhaps equalized.   tried: all settings that were
    measured.   layers: the most sensitive first; empty where nobody had to ask.
    """

    model: "ModelProto"
    net: FloatNet
    settings: Settings
    noise: float
    lost: float
    met: bool
    tried: tuple[Tried, ...]
    layers: tuple[Sensitive, ...] = ()


def noise(outputs: Outputs, float_outputs: Outputs) -> float:
    """Mean squared difference over the variance of what it should be; inf where it is no number."""
    difference = float(np.square(outputs - float_outputs, dtype=np.float64).mean())
    found = difference / max(float(float_outputs.var(dtype=np.float64)), 1e-30)
    return found if np.isfinite(found) else float("inf")


def candidates(wish: Settings, method: str | None) -> list[Settings]:
    """Settings to try: every method, or the one that is asked for, then without corrections."""
    methods = [method] if method else list(METHODS)
    return [replace(wish, method=name) for name in methods]


def choose(
    net: FloatNet,
    calibrate: Callable[[FloatNet], FloatNet],
    run: Run,
    lost: Lost,
    most: float,
    wish: Settings,
    *,
    method: str | None = None,
    most_float: float = 0.5,
    say: Say = lambda sentence: None,
) -> Chosen:
    """The quietest settings; then layers go back to float until no more than `most` is lost.

    net: calibrated.   calibrate: does so again after equalization.   method: the only one to try.
    most_float: the largest share of layers that may stay in float.
    """
    floats = run(net.model)
    tried: list[Tried] = []

    def measured(net: FloatNet, settings: Settings) -> float:
        found = noise(run(net.quantized(settings)), floats)
        tried.append(Tried(settings, found))
        return found

    best = min(candidates(wish, method), key=lambda each: measured(net, each))
    quietest = min(each.noise for each in tried)
    plain = replace(best, correct=False)
    if best.correct and measured(net, plain) < quietest:
        best, quietest = plain, tried[-1].noise
    equal = net.equalized()
    if any(not np.array_equal(a, equal.graph.weights[n]) for n, a in net.graph.weights.items()):
        equal, other = calibrate(equal), replace(best, equalize=True)
        if measured(equal, other) < quietest:
            net, best, quietest = equal, other, tried[-1].noise
    fitted = replace(best, fit=True)
    if measured(net, fitted) < quietest:
        best, quietest = fitted, tried[-1].noise
    how = [best.method, *(["bias correction"] if best.correct else [])]
    how += ["equalized channels"] if best.equalize else []
    how += ["rounding by least squares"] if best.fit else []
    say(f"least noise with {', '.join(how)}: {quietest:.2e} of the outputs' variance")
    model = net.quantized(best)
    chosen = Chosen(model, net, best, quietest, lost(model), False, tuple(tried))
    chosen = replace(chosen, met=chosen.lost <= most)
    return chosen if chosen.met else _spare(chosen, run, floats, lost, most, most_float, say)


def _spare(
    start: Chosen, run: Run, floats: Outputs, lost: Lost, most: float, share: float, say: Say
) -> Chosen:
    """Leave the most sensitive layers in float, more and more of them until the wish is met."""
    net, settings = start.net, start.settings
    layers = [name for name in net.layers if name not in settings.keep]
    say(f"{start.lost:.1f} points lost, above {most:g}: measuring {len(layers)} layers one by one")
    found = [
        Sensitive(
            name, noise(run(net.quantized(replace(settings, keep=settings.keep | {name}))), floats)
        )
        for name in layers
    ]
    found.sort(key=lambda each: each.noise)
    best = replace(start, layers=tuple(found))
    for count in _counts(int(share * len(layers))):
        keep = settings.keep | {each.layer for each in found[:count]}
        now = replace(settings, keep=keep)
        model = net.quantized(now)
        left = lost(model)
        say(f"with {count} of {len(layers)} layers in float: {left:.1f} points lost")
        if left <= most or left < best.lost:
            quiet = noise(run(model), floats)
            best = replace(best, model=model, settings=now, lost=left, noise=quiet)
        if left <= most:
            return replace(best, met=True)
    return best


def _counts(most: int) -> Iterator[int]:
    """1, 2, 3, 4, 6, 9, 13, …: each about half as many again."""
    count = 1
    while count <= most:
        yield count
        count = max(count + 1, count * 3 // 2)
