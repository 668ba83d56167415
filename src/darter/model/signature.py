"""What a classifier's graph takes and gives, read from the file and checked before it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darter.errors import ModelFileError
from darter.net import ModelFile

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

MOST_CLASSES, MOST_PICTURES, LARGEST_SIDE = 100_000, 1024, 4096  # larger is a damaged file
PASSES = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze")  # keep the values


@dataclass(frozen=True)
class Signature:
    """One picture tensor in, one row of class scores out.

    layout: "NCHW" or "NHWC".   batch: the number of pictures that the graph insists on, or None.
    size: the side of its input in pixels, or None if any.   classes: outputs, or None if the file
    does not say.   probabilities: whether the graph ends in a Softmax.
    """

    input: str
    output: str
    dtype: str
    layout: str
    batch: int | None
    size: int | None
    classes: int | None
    probabilities: bool


def read_signature(model: ModelFile) -> Signature:
    """Raises ModelFileError, with what the graph has instead, unless it classifies pictures."""
    graph = model.proto.graph
    try:
        entry, (batch, *_), size, layout = _picture_input(graph)
        output, classes = _scores(graph)
        for what, value, most in (
            ("batch", batch, MOST_PICTURES),
            ("size", size, LARGEST_SIDE),
            ("number of classes", classes, MOST_CLASSES),
        ):
            if value is not None and value > most:
                raise ModelFileError(f"its {what} is {value}, above darter's limit of {most}")
        return Signature(
            input=entry.name,
            output=output,
            dtype=_dtype(entry),
            layout=layout,
            batch=batch,
            size=size,
            classes=classes,
            probabilities=_ends_in_softmax(graph, output),
        )
    except ModelFileError as error:
        raise ModelFileError(f"{model.path}: {error}") from None


def _picture_input(
    graph: "GraphProto",
) -> tuple["ValueInfoProto", tuple[int | None, ...], int | None, str]:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "none"
        raise ModelFileError(f"must take one picture tensor; its inputs are: {names}")
    shape = _shape(inputs[0])
    if shape is None or len(shape) != 4:
        raise ModelFileError(
            "input must have rank 4, (N, 3, H, W) or (N, H, W, 3); got "
            + ("no shape" if shape is None else f"rank {len(shape)}, {_text(shape)}")
        )
    if shape[1] == 3 or (shape[1] is None and shape[3] != 3):
        layout, sides = "NCHW", shape[2:]
    elif shape[3] == 3:
        layout, sides = "NHWC", shape[1:3]
    else:
        raise ModelFileError(f"input must have 3 channels (RGB); got {_text(shape)}")
    if None not in sides and sides[0] != sides[1]:
        raise ModelFileError(f"input must be square; got {_text(shape)}")
    return inputs[0], shape, sides[0] or sides[1], layout


def _dtype(entry: "ValueInfoProto") -> str:
    from onnx import TensorProto

    number = entry.type.tensor_type.elem_type
    known = {int(TensorProto.FLOAT): "float32", int(TensorProto.FLOAT16): "float16"}
    if number not in known:
        names = {value: name.lower() for name, value in TensorProto.DataType.items()}
        given = names.get(TensorProto.DataType.ValueType(number), f"type {number}")
        raise ModelFileError(f"input must be float32 or float16; got {given}")
    return known[number]


def _scores(graph: "GraphProto") -> tuple[str, int | None]:
    """The first output that looks like class scores: (N, classes), with or without 1×1 pixels."""
    given = []
    for entry in graph.output:
        shape = _shape(entry)
        if shape is None:
            return entry.name, None
        given.append(_text(shape))
        if len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1)):
            if shape[1] == 1:
                raise ModelFileError("has 1 output; a classifier has one per class, 2 or more")
            return entry.name, shape[1]
    raise ModelFileError(
        f"output must have rank 2, (N, classes); got {', '.join(given) or 'none'}: "
        "not a classifier of whole pictures"
    )


def _ends_in_softmax(graph: "GraphProto", output: str) -> bool:
    makers = {name: node for node in graph.node for name in node.output}
    for _ in range(len(makers) + 1):
        node = makers.pop(output, None)
        if node is None:
            return False
        if node.op_type == "Sigmoid":
            raise ModelFileError(
                "ends in a Sigmoid: its labels are independent of each other, and darter picks one"
            )
        if node.op_type not in PASSES or not node.input:
            return node.op_type == "Softmax"
        output = node.input[0]
    return False


def _shape(entry: "ValueInfoProto") -> tuple[int | None, ...] | None:
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim)


def _text(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('?' if side is None else str(side) for side in shape)})"
