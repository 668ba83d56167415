"""An ONNX file written with its weights straight from a net's memory, none of them copied."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from darter.errors import UnsupportedError

if TYPE_CHECKING:
    from onnx import ModelProto

ALIGNED = 4  # bytes: where a float32 may lie that is read in place
# Fields of length-delimited type, number << 3 | 2, as onnx.proto numbers them.
GRAPH, INITIALIZER, RAW_DATA, DOC_STRING = b"\x3a", b"\x2a", b"\x4a", b"\x62"


def write_with_weights(model: "ModelProto", weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a model whose weights are still inputs of its graph; they become initializers.

    weights: name of an input -> its value.   model: is changed.
    Raises UnsupportedError where an input of the graph is neither the first nor a weight.
    """
    _, *others = model.graph.input
    unknown = [value.name for value in others if value.name not in weights]
    if unknown:
        raise UnsupportedError(f"the weight {unknown[0]!r} of this net cannot be written as ONNX")
    values = {value.name: weights[value.name].detach().cpu().contiguous() for value in others}
    del model.graph.input[1:]
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    rest = model.SerializeToString() + GRAPH
    length = len(graph)
    heads: list[bytes] = []
    for _ in range(2):  # the length of the graph stands before it, and takes bytes itself
        at = len(rest) + len(_varint(length)) + len(graph)
        heads, length = [], len(graph)
        for name, value in values.items():
            head = _head(name, value, at)
            heads.append(head)
            at += len(head) + value.nbytes
            length += len(head) + value.nbytes
    with path.open("wb") as file:
        file.write(rest + _varint(length) + graph)
        for head, value in zip(heads, values.values(), strict=True):
            file.write(head)
            value.numpy().tofile(file)


def _head(name: str, value: Tensor, at: int) -> bytes:
    """All of an initializer before its numbers, which then lie where they can be read in place.

    at: where in the file it begins.
    """
    from onnx import TensorProto, helper

    kind = helper.np_dtype_to_tensor_dtype(torch.empty(0, dtype=value.dtype).numpy().dtype)
    about = TensorProto(name=name, dims=value.shape, data_type=kind).SerializeToString()
    numbers = RAW_DATA + _varint(value.nbytes)
    for padding in range(ALIGNED):
        body = about + DOC_STRING + bytes([padding]) + b" " * padding + numbers
        head = INITIALIZER + _varint(len(body) + value.nbytes) + body
        if (at + len(head)) % ALIGNED == 0:
            return head
    raise AssertionError("one of the paddings fits")


def _varint(number: int) -> bytes:
    """A whole number as protobuf writes it: seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
