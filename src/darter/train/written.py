"""A PyTorch model written as ONNX."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

from darter.precision import frozen, is_binary
from darter.train.device import move
from darter.train.packed_signs import pack_signs

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
LOGITS = "logits"


def to_onnx(given: nn.Module, size: int, outputs: Sequence[str] = (LOGITS,)) -> "ModelProto":
    """The model as ONNX with its weights inside and a batch of any size.

    outputs: their names, in the order in which the model gives them.
    """
    model = frozen(given)
    move(model, torch.device("cpu"), channels_last=False)
    with _out_of_place(model):
        program = torch.onnx.export(
            model.float().eval(),
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    _forget_traces(program.model_proto)
    return pack_signs(program.model_proto) if is_binary(given) else program.model_proto


@contextmanager
def _out_of_place(model: nn.Module) -> Iterator[None]:
    """No layer works in place meanwhile: PyTorch takes half as long again to trace those that do,
    and writes the same nodes."""
    changed = [module for module in model.modules() if getattr(module, "inplace", False) is True]
    for module in changed:
        module.inplace = False  # type: ignore[assignment]  # PyTorch types layers only
    try:
        yield
    finally:
        for module in changed:
            module.inplace = True  # type: ignore[assignment]  # PyTorch types layers only


def _forget_traces(proto: "ModelProto") -> None:
    """Take out what PyTorch notes at every node: stack traces, with paths of this computer."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
