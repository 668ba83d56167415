"""Convolutions of whole nets, timed: every algorithm per layer, and all in sequence.

GFLOP/s are effective: FLOPs of the direct algorithm (one multiply-add is 2) over time, so that an
algorithm with fewer products shows as faster than the peak.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from darter.conv import ALGORITHMS, MAX_ERROR, ConvSpec, Timing, admitted, autotune, now, prepare
from darter.errors import MissingExtraError, OptionError
from darter.extras import install_line
from darter.kernels import BLOCK, Peak, blocked_shape, threads

BUDGETS = {"float32": MAX_ERROR, "bfloat16": 5e-3}
NETS: dict[str, list[list[Any]]] = json.loads(Path(__file__).with_name("nets.json").read_text())


def net_layers(net: str, batch: int = 1) -> list[tuple[ConvSpec, int]]:
    """Convolutions of a net in order, with how often each follows itself."""
    if net not in NETS:
        raise OptionError(f"unknown net {net!r}; choose from {', '.join(NETS)}")
    layers = []
    for text, times in NETS[net]:
        spec = ConvSpec.parse(text)
        layers.append((replace(spec, x=(batch, *spec.x[1:])), times))
    return layers


@dataclass(frozen=True)
class LayerRecord:
    """One layer of a net, computed by one algorithm."""

    net: str
    layer: str
    times: int
    timing: Timing


def time_layers(net: str, *, batch: int = 1, seconds: float = 0.5) -> Iterator[LayerRecord]:
    """Time the algorithms on every distinct layer of a net.

    Left out: what `autotune` leaves out, and lower precision.
    """
    counts: dict[ConvSpec, int] = {}
    for spec, times in net_layers(net, batch):
        counts[spec] = counts.get(spec, 0) + times
    for spec, times in counts.items():
        for timing in autotune(spec, max_error=1e-3, seconds=seconds, keep=False):
            yield LayerRecord(net, str(spec), times, timing)


def limit(spec: ConvSpec, peak: Peak) -> float:
    """Effective GFLOP/s that no float32 algorithm here can exceed on this machine.

    Its products run at the peak, or its packed filters are read from memory, whichever takes
    longer; transforms and pictures cost nothing.
    """
    seconds = [
        max(2e-9 * a.products(spec) / peak.gflops, 1e-9 * a.weight_bytes(spec) / peak.gigabytes)
        for a in (ALGORITHMS[name] for name in admitted(spec, max_error=1e-3)[0])
    ]
    return 2e-9 * spec.multiply_adds / min(seconds)


@dataclass(frozen=True)
class SequenceRecord:
    """All convolutions of a net, one after the other.

    Milliseconds are medians of `rounds`, of CPU time where there is one thread.
    """

    net: str
    batch: int
    rival_precision: str
    max_error: float
    rounds: int
    darter_ms: float
    darter_gflops: float
    torch_ms: float
    torch_gflops: float
    speedup: float
    algorithms: dict[str, int]


def time_sequence(
    net: str,
    batch: int,
    *,
    rival_precision: str = "float32",
    seconds: float = 10.0,
    max_error: float | None = None,
) -> SequenceRecord:
    """The lecture's Table 5: all convolutions of a net, darter against PyTorch channels-last.

    Each layer reads and writes the same two large buffers, as a net with planned memory does; bias
    and ReLU are fused in darter and left out in PyTorch. The two take turns.

    rival_precision: what PyTorch computes in, "float32" or "bfloat16" (Table 6).
    max_error: darter's budget; None takes 1e-5 against float32, and against bfloat16 5e-3, twice
    the error of direct products in bfloat16. Arrays between darter's layers stay float32.
    """
    if rival_precision not in BUDGETS:
        raise OptionError(f"precision is float32 or bfloat16, got {rival_precision!r}")
    max_error = BUDGETS[rival_precision] if max_error is None else max_error
    layers = [spec for spec, times in net_layers(net, batch) for _ in range(times)]
    x = np.random.default_rng(0).standard_normal(max(_floats(s.x) for s in layers), np.float32)
    y = np.zeros(max(_floats(s.y) for s in layers), np.float32)
    steps, algorithms = _darter_steps(layers, x, y, max_error)
    rivals = _torch_steps(layers, rival_precision)
    times: dict[str, list[float]] = {"darter": [], "torch": []}
    end = time.perf_counter() + seconds
    while len(times["torch"]) < 4 or (time.perf_counter() < end and len(times["torch"]) < 31):
        times["darter"].append(_run(steps))
        times["torch"].append(_run(rivals))
    ours, theirs = (median(times[name][1:]) for name in ("darter", "torch"))  # first: warm-up
    flops = 2e-9 * sum(spec.multiply_adds for spec in layers)
    return SequenceRecord(
        net=net,
        batch=batch,
        rival_precision=rival_precision,
        max_error=max_error,
        rounds=len(times["torch"]) - 1,
        darter_ms=1e3 * ours,
        darter_gflops=flops / ours,
        torch_ms=1e3 * theirs,
        torch_gflops=flops / theirs,
        speedup=theirs / ours,
        algorithms=algorithms,
    )


def _floats(shape: tuple[int, ...]) -> int:
    n, c, h, w = shape
    return n * -(-c // BLOCK) * BLOCK * h * w


def _run(steps: list[Callable[[], Any]]) -> float:
    start = now()
    for step in steps:
        step()
    return now() - start


def _darter_steps(
    layers: list[ConvSpec], x: np.ndarray, y: np.ndarray, max_error: float
) -> tuple[list[Callable[[], Any]], dict[str, int]]:
    rng = np.random.default_rng(1)
    steps: list[Callable[[], Any]] = []
    algorithms: dict[str, int] = {}
    for spec in layers:
        w = rng.standard_normal(spec.w, np.float32)
        bias = np.zeros(spec.w[0], np.float32)
        layer = prepare(spec, w, bias, activation="relu", max_error=max_error)
        name = layer.choice.algorithm
        algorithms[name] = algorithms.get(name, 0) + 1
        plain = layer.prefers[0] == "plain"
        shape = spec.x if plain else blocked_shape(spec.x)
        given = x[: int(np.prod(shape))].reshape(shape)
        out = y[: _floats(spec.y)].reshape(blocked_shape(spec.y))
        steps.append(partial(layer, given, out))
    return steps, algorithms


def _torch_steps(layers: list[ConvSpec], precision: str) -> list[Callable[[], Any]]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(f"the comparison needs PyTorch: {install_line('train')}") from error
    dtype = getattr(torch, precision)
    torch.set_num_threads(threads())
    x = torch.randn(max(int(np.prod(spec.x)) for spec in layers)).to(dtype)
    steps: list[Callable[[], Any]] = []
    for spec in layers:
        (n, c, h, w), (k, _, r, s) = spec.x, spec.w
        given = x[: n * c * h * w].view(n, h, w, c).permute(0, 3, 1, 2)
        top, left, bottom, right = spec.padding
        assert (top, left) == (bottom, right)
        module = (
            torch.nn.Conv2d(c, k, (r, s), spec.stride, (top, left), spec.dilation, spec.groups)
            .to(dtype)
            .to(memory_format=torch.channels_last)
        )
        module.requires_grad_(False)
        steps.append(partial(module, given))
    return steps
