"""The values of a tensor in an ONNX file as a numpy array: a view of the bytes, not a copy."""

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError

if TYPE_CHECKING:
    from onnx import TensorProto

# ONNX's number of an element type -> numpy's type and the field that holds values not given raw
TYPES: dict[int, tuple[Any, str]] = {
    1: (np.float32, "float_data"),
    2: (np.uint8, "int32_data"),
    3: (np.int8, "int32_data"),
    4: (np.uint16, "int32_data"),
    5: (np.int16, "int32_data"),
    6: (np.int32, "int32_data"),
    7: (np.int64, "int64_data"),
    9: (np.bool_, "int32_data"),
    10: (np.float16, "int32_data"),  # each number holds the 16 bits of a float
    11: (np.float64, "double_data"),
    12: (np.uint32, "uint64_data"),
    13: (np.uint64, "uint64_data"),
}
MOST_AXES = 8


def to_array(tensor: "TensorProto", folder: Path, raw: memoryview | None = None) -> NDArray[Any]:
    """The array (read-only) that a TensorProto describes; external values are mapped, not read.

    folder: where external files lie; `modelfile` has checked that they do and are long enough.
    raw: the values, where `modelfile` left them out of the message.
    Raises ModelFileError if shape and bytes disagree, UnsupportedError for an unusual type.
    """
    where = f"weights {tensor.name[:60]!r}"
    if tensor.data_type not in TYPES:
        raise UnsupportedError(f"{where}: elements of type {tensor.data_type} are not supported")
    kind, field = TYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    if len(shape) > MOST_AXES or min(shape, default=0) < 0:
        raise ModelFileError(f"{where}: the shape {shape[:MOST_AXES]} cannot be meant")
    flat = _values(tensor, np.dtype(kind), field, folder, raw)
    if flat.size != prod(shape):
        raise ModelFileError(f"{where}: {flat.size} values for the shape {shape}")
    return flat.reshape(shape)


def _values(
    tensor: "TensorProto", kind: np.dtype, field: str, folder: Path, raw: memoryview | None
) -> NDArray[Any]:
    if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
        return _external(tensor, kind, folder)
    if raw is not None or tensor.HasField("raw_data"):
        content = tensor.raw_data if raw is None else raw
        if len(content) % kind.itemsize:
            raise ModelFileError(
                f"weights {tensor.name[:60]!r}: {len(content)} bytes are no whole number of {kind}"
            )
        return np.frombuffer(content, kind.newbyteorder("<"))
    values = np.array(getattr(tensor, field))
    if kind == np.float16:
        return values.astype(np.uint16).view(np.float16)
    return values.astype(kind)


def _external(tensor: "TensorProto", kind: np.dtype, folder: Path) -> NDArray[Any]:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    expected = prod(tensor.dims)
    length = int(entries.get("length", expected * kind.itemsize))
    if length != expected * kind.itemsize:
        raise ModelFileError(
            f"weights {tensor.name[:60]!r}: {length} bytes for the shape {tuple(tensor.dims)}"
        )
    if not expected:
        return np.zeros(0, kind)
    try:
        return np.memmap(
            folder / entries["location"],
            kind.newbyteorder("<"),
            mode="r",
            offset=int(entries.get("offset", 0)),
            shape=(expected,),
        )
    except (OSError, ValueError) as error:
        raise ModelFileError(f"weights {tensor.name[:60]!r} cannot be mapped: {error}") from error
