"""Any number of pictures through a runtime that takes only so many at a time."""

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError
from darter.model.runtime import Runtime
from darter.model.signature import Signature

MOST_AT_ONCE = 32  # pictures per run, so that memory is bounded however many come


def run_in_batches(
    runtime: Runtime, signature: Signature, x: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """The outputs for x (N, C, H, W), run in the layout, type and batch that the graph insists on.

    Raises ModelFileError where more pictures come than run at once, and an output has no axis for
    them.
    """
    count, batch = len(x), runtime.batch or MOST_AT_ONCE
    if signature.layout == "NHWC":
        x = x.transpose(0, 2, 3, 1)
    x = np.ascontiguousarray(x, signature.dtype)
    missing = (-count % batch or batch * (not count)) if runtime.batch else int(not count)
    if missing:
        x = np.concatenate((x, np.zeros((missing, *x.shape[1:]), x.dtype)))
    starts = range(0, len(x), batch)
    runs = [runtime.run(x[start : start + batch]) for start in starts]
    if len(runs) == 1 and not missing:
        return [np.asarray(output, np.float32) for output in runs[0]]
    sizes = [len(x[start : start + batch]) for start in starts]
    return [
        _joined([run[i] for run in runs], sizes, runtime.axes[i], count).astype(
            np.float32, copy=False
        )
        for i in range(len(runtime.outputs))
    ]


def _joined(parts: list[NDArray], sizes: list[int], axis: int, count: int) -> NDArray:
    """One output of several runs, for the first `count` pictures."""
    for part, size in zip(parts, sizes, strict=True):
        if part.ndim <= axis or part.shape[axis] != size:
            raise ModelFileError(
                f"an output is {part.shape} for {size} pictures, so that several runs cannot be "
                f"joined; run {size} at a time"
            )
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
    return np.take(whole, range(count), axis) if whole.shape[axis] != count else whole
