"""What the tensors of a net hold when it sees pictures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.model import read_signature
from darter.net import Programs, build, infer, model_in_memory
from darter.quantize.ranges import Observed

if TYPE_CHECKING:
    from onnx import ModelProto

VALUES = 1 << 17  # of a tensor, that are kept to choose its range by
MOST_BYTES = 256e6  # of all tensors of the pictures that run together
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Seen:
    """observed: of each tensor.   mean: of each tensor over the pictures, as one picture.

    largest: of each tensor with channels on axis 1, the largest size per channel.
    """

    observed: dict[str, Observed]
    mean: dict[str, NDArray[np.float64]]
    largest: dict[str, NDArray[np.float32]]


def calibrate(
    model: "ModelProto",
    tensors: Sequence[str],
    x: NDArray[np.floating],
    *,
    threads: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Seen:
    """Run a net over pictures x (N, C, H, W) and look at some of its tensors, in its own layout.

    Raises ModelFileError where a tensor becomes infinite or no number.
    """
    watched = {name: _Watched(-(-VALUES // len(x)), seed) for name in tensors}
    done = 0
    for part in runs(model, tensors, x, threads):
        for name, array in part.items():
            with _named(name):
                watched[name].see(array)
        done += len(part[tensors[0]])
        if progress is not None:
            progress(done, len(x))
    return Seen(
        {name: each.observed() for name, each in watched.items()},
        {name: np.asarray(each.total) / done for name, each in watched.items()},
        {name: each.largest for name, each in watched.items() if each.largest is not None},
    )


def runs(
    model: "ModelProto", tensors: Sequence[str], x: NDArray[np.floating], threads: int | None
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """name -> what a tensor holds, for some of the pictures x (N, C, H, W) after the other."""
    opened = model_in_memory(model, "the model")
    signature = read_signature(opened)
    x = x if signature.layout == "NCHW" else x.transpose(0, 2, 3, 1)
    inner = [name for name in tensors if name != signature.input]
    given = (opened, signature.input, x.shape[1:], tuple(inner))
    graph = build(*given, written=signature.batch)
    programs = Programs(lambda: graph, threads=threads)
    one = sum(4 * int(np.prod(shape)) for shape in infer(graph, 2).values()) / 2
    step = signature.batch or int(np.clip(MOST_BYTES // max(one, 1), 1, 16))
    done = len(x) - len(x) % step if signature.batch else len(x)
    for start in range(0, done, step):
        part = np.ascontiguousarray(x[start : start + step], np.float32)
        outputs = programs.run(part)
        found = [outputs] if isinstance(outputs, np.ndarray) else outputs
        by_name = {**dict(zip(inner, found, strict=True)), signature.input: part}
        yield {name: by_name[name] for name in tensors}


@contextmanager
def _named(tensor: str) -> Iterator[None]:
    try:
        yield
    except FloatingPointError as error:
        raise ModelFileError(
            f"tensor {tensor[:60]!r} holds {error} for one of the pictures, so that it has no "
            "range; the net is damaged or was made for pictures prepared otherwise"
        ) from None


class _Watched:
    """The numbers of one tensor, as they go by."""

    def __init__(self, values: int, seed: int) -> None:
        self.each, self.random = values, np.random.default_rng(seed)
        self.low, self.high = np.inf, -np.inf
        self.values: list[NDArray[np.float32]] = []
        self.total: NDArray[np.float64] | float = 0.0
        self.largest: NDArray[np.float32] | None = None

    def see(self, array: NDArray[np.float32]) -> None:
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise FloatingPointError("nan" if np.isnan(low) or np.isnan(high) else "inf")
        self.low, self.high = min(self.low, low), max(self.high, high)
        rows = array.reshape(len(array), -1)
        if rows.shape[1] > self.each:
            places = self.random.integers(rows.shape[1], size=self.each)
            rows = rows[:, places]
        self.values.append(np.array(rows, np.float32).ravel())
        self.total = self.total + array.sum(axis=0, dtype=np.float64)
        if array.ndim > 1:
            axes = (0, *range(2, array.ndim))
            size = np.maximum(array.max(axis=axes), -array.min(axis=axes))
            before = self.largest
            self.largest = size if before is None else np.maximum(before, size)

    def observed(self) -> Observed:
        return Observed(self.low, self.high, np.concatenate(self.values))
