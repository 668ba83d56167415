"""What kernels take and give: float32 arrays."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from darter.errors import ShapeError


class DLPack(Protocol):
    """A tensor of another library."""

    def __dlpack__(self, **options: Any) -> Any: ...


Floats = ArrayLike | DLPack  # real numbers in main memory


def as_float32(name: str, value: Floats) -> np.ndarray:
    """Real numbers as a float32 array; no copy where they are float32 already.

    value: a numpy array or list, or anything with DLPack, such as a tensor of PyTorch on the CPU.
    Other types of numbers are rounded to float32.   name: of the argument, for messages.
    Raises ShapeError for anything else.
    """
    if type(value) is np.ndarray and value.dtype == np.float32:
        return value
    given: Any = value
    try:
        if hasattr(given, "resolve_neg"):  # of PyTorch; DLPack would lose a pending sign
            given = given.detach().resolve_neg()
        if not isinstance(given, np.ndarray) and hasattr(given, "__dlpack__"):
            given = np.from_dlpack(given)
        array = np.asarray(given)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise ShapeError(
            f"{name}: cannot read {type(value).__name__}: {error} "
            "Give a float32 array in main memory (a tensor: .cpu().float())."
        ) from error
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"{name} must hold real numbers, got {array.dtype}")
    return np.asarray(array, np.float32)


def check_out(out: object, name: str = "out") -> None:
    """Raise ShapeError unless kernels can write into it; its shape is left to the caller."""
    if isinstance(out, np.ndarray) and out.dtype == np.float32 and out.flags.carray:
        return
    if not isinstance(out, np.ndarray):
        got = f"{type(out).__module__}.{type(out).__name__}"
    elif out.dtype != np.float32:
        got = str(out.dtype)
    elif not out.flags.c_contiguous:
        got = f"float32 {out.shape} with strides of {out.strides} bytes"
    else:
        got = "a read-only or unaligned one"
    raise ShapeError(f"{name} must be a writable, C-contiguous numpy array of float32, got {got}")


def apart_from(out: np.ndarray, array: np.ndarray) -> np.ndarray:
    """The array, or a copy where writing `out` could change it."""
    return array.copy() if np.may_share_memory(out, array) else array
