"""The two gradients of convolutions, timed beside PyTorch's."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from darter.bench.convolutions import net_layers
from darter.conv import GRADIENTS, MAX_ERROR, ConvSpec, choose_gradient, gradient_parts, now
from darter.errors import MissingExtraError, OptionError
from darter.extras import install_line
from darter.kernels import blocked_shape, filter_gradient, from_blocked, input_gradient, to_blocked
from darter.kernels import threads as available

LAYERS = (  # typical ones: 3x3, 1x1, depthwise, stride 2; x / w / options, without the batch
    "64,56,56/64,64,3,3/padding=1",
    "128,28,28/128,128,3,3/padding=1",
    "256,14,14/256,256,3,3/padding=1",
    "512,14,14/512,512,3,3/padding=1",
    "512,7,7/512,512,3,3/padding=1",
    "256,56,56/64,256,1,1",
    "128,28,28/512,128,1,1",
    "1024,14,14/256,1024,1,1",
    "512,7,7/2048,512,1,1",
    "96,56,56/96,1,3,3/padding=1/groups=96",
    "144,56,56/144,1,3,3/padding=1/stride=2/groups=144",
    "240,28,28/240,1,5,5/padding=2/groups=240",
    "672,14,14/672,1,5,5/padding=2/groups=672",
    "64,56,56/128,64,3,3/padding=1/stride=2",
    "256,56,56/512,256,1,1/stride=2",
)
WRONG = 1e-3  # relative to the largest value: no rounding


@dataclass(frozen=True)
class GradientRow:
    """One gradient of one layer. Milliseconds are medians; GFLOP/s count the direct algorithm."""

    layer: str
    gradient: str
    algorithm: str
    darter_ms: float
    torch_ms: float
    speedup: float
    gflops: float
    error: float


def time_gradients(
    net: str | None, batch: int, *, seconds: float = 1.0, max_error: float | None = None
) -> Iterator[GradientRow]:
    """Both gradients of every distinct layer of a net, or of `LAYERS`.

    darter's arrays are blocked, PyTorch's channels-last, as each has them in a net; packing the
    filters, which change at every step, is part of darter's time. Results are checked against
    PyTorch's before anything is timed; the two take turns.
    Raises OptionError where they differ by more than rounding.
    """
    if net is None:
        specs = [ConvSpec.parse(f"{batch},{text}") for text in LAYERS]
    else:
        specs = list(dict.fromkeys(spec for spec, _ in net_layers(net, batch)))
    for spec in specs:
        for of in GRADIENTS:
            yield _row(spec, of, seconds, max_error or MAX_ERROR)


def _row(spec: ConvSpec, of: str, seconds: float, max_error: float) -> GradientRow:
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape, np.float32) for shape in (spec.x, spec.w, spec.y))
    name = choose_gradient(spec, of, max_error=max_error).algorithm
    ours, result = _darter(spec, of, name, x, w, dy)
    theirs, expected = _torch(spec, of, x, w, dy)
    ours()
    found, truth = result(), expected()
    error = float(np.abs(found - truth).max() / np.abs(truth).max())
    if not error <= WRONG:
        raise OptionError(
            f"{name} and PyTorch differ by {error:.1e} for the {of} gradient of {spec}"
        )
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    end = time.perf_counter() + seconds
    while len(times["theirs"]) < 4 or time.perf_counter() < end:
        for key, run in (("ours", ours), ("theirs", theirs)):
            start = now()
            run()
            times[key].append(1e3 * (now() - start))
    darter_ms, torch_ms = (median(times[key][1:]) for key in ("ours", "theirs"))
    return GradientRow(
        str(spec), of, name, darter_ms, torch_ms, torch_ms / darter_ms,
        2e-6 * spec.multiply_adds / darter_ms, error,
    )  # fmt: skip


Run = Callable[[], Any]


def _darter(
    spec: ConvSpec, of: str, name: str, x: np.ndarray, w: np.ndarray, dy: np.ndarray
) -> tuple[Run, Callable[[], np.ndarray]]:
    core = GRADIENTS[of][name].core
    given = to_blocked(dy)
    if of == "input":
        backward = input_gradient(core, spec.numbers())
        dx = np.zeros(blocked_shape(spec.x), np.float32)

        def run() -> None:
            backward.set_filters(w)
            backward.run(given, dx, False)

        return run, lambda: from_blocked(dx, spec.x[1])
    summed = filter_gradient(core, spec.numbers())
    seen, dw = to_blocked(x), np.zeros(spec.w, np.float32)
    parts = gradient_parts(spec, summed.sum_floats)
    return lambda: summed.run(seen, given, dw, parts), lambda: dw


def _torch(
    spec: ConvSpec, of: str, x: np.ndarray, w: np.ndarray, dy: np.ndarray
) -> tuple[Run, Callable[[], np.ndarray]]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(f"the comparison needs PyTorch: {install_line('train')}") from error
    torch.set_num_threads(available())
    order = torch.channels_last
    tensors = [torch.from_numpy(a).to(memory_format=order) for a in (dy, x, w)]
    top, left, _, _ = spec.padding
    mask = [of == "input", of == "filter", False]

    def run() -> Any:
        return torch.ops.aten.convolution_backward(
            *tensors,
            None,
            spec.stride,
            (top, left),
            spec.dilation,
            False,
            (0, 0),
            spec.groups,
            mask,
        )

    return run, lambda: run()[0 if of == "input" else 1].numpy()
