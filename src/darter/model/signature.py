"""What a CNN's graph takes and gives, read from the file and checked before it runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darter.errors import ModelFileError
from darter.net import ModelFile, TensorProto

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto

MOST_CHANNELS, MOST_PICTURES, LARGEST_SIDE = 1024, 1024, 4096  # larger is a damaged file
UINT8 = 2  # onnx.TensorProto.UINT8
USUAL_CHANNELS = (3, 1, 4)  # of pictures: color, grey, color and transparency
Sides = tuple[int | None, int | None]  # height and width in pixels, None where any will do


@dataclass(frozen=True)
class Output:
    """One tensor that the graph gives.

    shape: None where the file does not say; likewise each size in it.   whole: whether its numbers
    are whole ones or truth values.   axis: of the pictures, as far as the file tells.
    """

    name: str
    shape: tuple[int | None, ...] | None
    whole: bool = False
    axis: int = 0

    def __str__(self) -> str:
        return (
            f"{self.name[:40]!r} {'of no said shape' if self.shape is None else _text(self.shape)}"
        )


@dataclass(frozen=True)
class Signature:
    """One tensor of pictures in, any tensors out.

    layout: "NCHW" or "NHWC".   batch: the number of pictures that the graph insists on, or None.
    channels: 3 where the file does not say.   size: of the pictures that it takes.
    """

    input: str
    dtype: str
    layout: str
    batch: int | None
    channels: int
    size: Sides
    outputs: tuple[Output, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

    def picture(self, height: int, width: int) -> tuple[int, int, int]:
        """The shape of one picture in the graph's own layout."""
        if self.layout == "NCHW":
            return self.channels, height, width
        return height, width, self.channels

    def sides(self, wanted: int | tuple[int, int] | None, usual: int) -> tuple[int, int]:
        """Height and width to run: the graph's own; where it takes any, as wanted or usual."""
        height, width = (wanted, wanted) if isinstance(wanted, int) else wanted or (None, None)
        own = self.size
        return own[0] or height or own[1] or usual, own[1] or width or own[0] or usual


def read_signature(model: ModelFile) -> Signature:
    """Raises ModelFileError, with what the graph has instead, unless it takes pictures alone."""
    graph = model.proto.graph
    try:
        entry, shape = _picture_input(graph)
        layout, channels, size = _layout(shape)
        limits = (
            ("batch", shape[0], MOST_PICTURES),
            ("number of channels", channels, MOST_CHANNELS),
            *(("size", side, LARGEST_SIDE) for side in size),
        )
        for what, value, most in limits:
            if value is not None and value > most:
                raise ModelFileError(f"its {what} is {value}, above darter's limit of {most}")
        if not graph.output:
            raise ModelFileError("has no output")
        return Signature(
            input=entry.name,
            dtype=_dtype(entry),
            layout=layout,
            batch=shape[0],
            channels=channels,
            size=size,
            outputs=tuple(_output(each, _pictures(entry)) for each in graph.output),
        )
    except ModelFileError as error:
        raise ModelFileError(f"{model.path}: {error}") from None


def _picture_input(graph: "GraphProto") -> tuple["ValueInfoProto", tuple[int | None, ...]]:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "none"
        raise ModelFileError(f"must take one picture tensor; its inputs are: {names}")
    shape = _shape(inputs[0])
    if inputs[0].type.tensor_type.elem_type == UINT8 and shape is not None and len(shape) == 3:
        raise ModelFileError(
            "takes pictures as they are decoded, as `darter export --with-preprocessing` writes it "
            "for other runtimes; give darter the model that it was made from"
        )
    if shape is None or len(shape) != 4:
        raise ModelFileError(
            "input must have rank 4, (N, C, H, W) or (N, H, W, C); got "
            + ("no shape" if shape is None else f"rank {len(shape)}, {_text(shape)}")
        )
    return inputs[0], shape


def _layout(shape: tuple[int | None, ...]) -> tuple[str, int, Sides]:
    """Where the channels are, how many, and the sides: what looks most like a picture's."""
    for channels in USUAL_CHANNELS:
        if shape[1] == channels:
            return "NCHW", channels, (shape[2], shape[3])
        if shape[3] == channels:
            return "NHWC", channels, (shape[1], shape[2])
    return "NCHW", shape[1] or USUAL_CHANNELS[0], (shape[2], shape[3])


def _dtype(entry: "ValueInfoProto") -> str:
    number = entry.type.tensor_type.elem_type
    known = {int(TensorProto.FLOAT): "float32", int(TensorProto.FLOAT16): "float16"}
    if number not in known:
        names = {value: name.lower() for name, value in TensorProto.DataType.items()}
        given = names.get(TensorProto.DataType.ValueType(number), f"type {number}")
        raise ModelFileError(f"input must be float32 or float16; got {given}")
    return known[number]


def _output(entry: "ValueInfoProto", pictures: str) -> Output:
    numbers = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    whole = entry.type.tensor_type.elem_type not in (TensorProto.UNDEFINED, *numbers)
    named = [size.dim_param for size in entry.type.tensor_type.shape.dim]
    axis = named.index(pictures) if pictures and pictures in named else 0
    return Output(entry.name, _shape(entry), whole, axis)


def _pictures(entry: "ValueInfoProto") -> str:
    """What the file calls the number of pictures; "" where it has no name for it."""
    return entry.type.tensor_type.shape.dim[0].dim_param


def _shape(entry: "ValueInfoProto") -> tuple[int | None, ...] | None:
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim)


def _text(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('?' if side is None else str(side) for side in shape)})"
