"""What can happen to a model file: by accident, or on purpose."""

from random import Random

from onnx import ModelProto

from tests.fuzz import structure
from tests.fuzz.nets import nets
from tests.fuzz.structure import ABSURD

NUMBERS = (0.0, -1.0, 1e-45, 1e38, -1e38, float("inf"), float("-inf"), float("nan"), 1e6)
OPS = (
    "Conv", "MaxPool", "Gemm", "Add", "Mul", "Relu", "Concat", "Reshape", "Transpose", "Softmax",
    "Resize", "Pad", "Slice", "Expand", "ReduceMean", "Shape", "Gather", "ConstantOfShape", "Tile",
    "Range", "Loop", "NoSuchOp", "Split", "Clip", "Pow", "MatMul", "LRN", "Cast", "Dropout",
    "LSTM", "GRU", "Einsum", "Where", "ConvTranspose", "DepthToSpace", "InstanceNormalization",
    "ArgMax", "TopK", "OneHot", "NonZero", "If", "Scan", "Upsample", "GroupNormalization", "Sin",
    "QuantizeLinear", "DequantizeLinear",
)  # fmt: skip


def damaged(number: int, quantized: bool = False) -> bytes:
    """File number n, always the same; of a net in 8-bit integers where `quantized`."""
    draw = Random(number)
    content = draw.choice(nets(quantized))
    if draw.random() < 0.6:
        content = _absurd(content, draw)
    if draw.random() < 0.5:
        content = _scrambled(content, draw)
    return content


def _scrambled(content: bytes, draw: Random) -> bytes:
    """Bytes flipped, replaced, cut, doubled or moved; most often only one of them."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 5, 30))):
        if not data:
            break
        place = draw.randrange(len(data))
        size = draw.choice((1, 1, 2, 4, 50))
        kind = draw.randrange(6)
        if kind == 0:
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del data[place : place + size]
        elif kind == 3:
            data[place:place] = data[place : place + size]
        elif kind == 4:
            data[place : place + size] = draw.randbytes(size)
        else:
            del data[place:]
    return bytes(data)


def _absurd(content: bytes, draw: Random) -> bytes:
    """A file that parses, but whose sizes, attributes or wires make no sense."""
    model = ModelProto.FromString(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if model.graph.node:
            draw.choice(CHANGES)(model, draw)
    return model.SerializeToString()


def _attribute(model: ModelProto, draw: Random) -> None:
    node = draw.choice(model.graph.node)
    if not node.attribute:
        return
    entry = draw.choice(node.attribute)
    if entry.ints:
        entry.ints[draw.randrange(len(entry.ints))] = draw.choice(ABSURD)
    elif entry.type == entry.INT:
        entry.i = draw.choice(ABSURD)
    elif entry.type == entry.FLOAT:
        entry.f = draw.choice(NUMBERS)
    if draw.random() < 0.1:
        entry.type = draw.randrange(15)
    if draw.random() < 0.1:
        entry.name = draw.choice(("pads", "axis", "strides", "group", "dilations", "kernel_shape"))
    if draw.random() < 0.2 and entry.ints:
        del entry.ints[draw.randrange(len(entry.ints))]


def _new_attribute(model: ModelProto, draw: Random) -> None:
    entry = draw.choice(model.graph.node).attribute.add()
    entry.name = draw.choice(("pads", "axis", "strides", "group", "dilations", "ceil_mode", "axes"))
    entry.type = draw.choice((entry.INT, entry.INTS, entry.FLOAT))
    entry.i = draw.choice(ABSURD)
    entry.ints.extend(draw.choice(ABSURD) for _ in range(draw.choice((0, 1, 2, 4, 8))))


def _weight_shape(model: ModelProto, draw: Random) -> None:
    if not model.graph.initializer:
        return
    tensor = draw.choice(model.graph.initializer)
    kind = draw.randrange(4)
    if kind == 0 and tensor.dims:
        tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice(ABSURD)
    elif kind == 1:
        dims = list(tensor.dims)
        draw.shuffle(dims)
        tensor.dims[:] = dims
    elif kind == 2:
        tensor.dims.append(draw.choice((0, 1, 1, 2**40)))
    else:
        tensor.data_type = draw.randrange(25)


def _weight_value(model: ModelProto, draw: Random) -> None:
    """Values of constants: those of shapes, pads and axes matter most."""
    small = [t for t in model.graph.initializer if t.data_type == t.INT64]
    if not model.graph.initializer:
        return
    tensor = draw.choice(small or list(model.graph.initializer))
    raw = bytearray(tensor.raw_data)
    place = draw.randrange(len(raw) // 8 or 1) * 8
    raw[place : place + 8] = draw.choice(ABSURD).to_bytes(8, "little", signed=True)
    tensor.raw_data = bytes(raw)


def _wires(model: ModelProto, draw: Random) -> None:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    node = draw.choice(model.graph.node)
    if node.input and draw.random() < 0.7:
        node.input[draw.randrange(len(node.input))] = draw.choice((*names, "x", "", "nowhere"))
    elif draw.random() < 0.5 and node.output:
        node.output[draw.randrange(len(node.output))] = draw.choice(names)
    elif node.input:
        del node.input[-1]


def _operation(model: ModelProto, draw: Random) -> None:
    draw.choice(model.graph.node).op_type = draw.choice(OPS)


def _remove(model: ModelProto, draw: Random) -> None:
    if len(model.graph.node) > 1:
        del model.graph.node[draw.randrange(len(model.graph.node))]


def _inputs(model: ModelProto, draw: Random) -> None:
    entries = [*model.graph.input[:1], *model.graph.output[:1]]
    sides = [side for entry in entries for side in entry.type.tensor_type.shape.dim[:2]]
    if sides:
        draw.choice(sides).dim_value = draw.choice(ABSURD)


def _opset(model: ModelProto, draw: Random) -> None:
    if model.opset_import:
        model.opset_import[0].version = draw.choice((*range(7, 26), *ABSURD[-6:]))


CHANGES = (
    _attribute, _attribute, _attribute, _new_attribute, _weight_shape, _weight_value,
    _weight_value, _wires, _operation, _remove, _inputs, _opset, *structure.CHANGES,
)  # fmt: skip
