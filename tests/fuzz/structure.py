"""Files that parse and are well formed, but whose structure nobody would write."""

from collections.abc import Callable
from random import Random

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

ABSURD = (
    0, 1, -1, 2, 3, 7, 100, 4096, 65_535, 65_536, 10**6, 2**31 - 1, 2**31, -(2**31), 2**32,
    2**40, 2**62, 2**63 - 1, -(2**63),
)  # fmt: skip
TEXTS = (
    "", "x", "w0", "a" * 5000, "\n\x1b[2J", "\u202e", "é" * 300, "../../etc/passwd", "nul\0",
    "/dev/zero", "9" * 4000, "-1", "nan", "[" * 3000, '"', "{}", "null", "1e999", "name'",
)  # fmt: skip
Change = Callable[[ModelProto, Random], None]


def _some_tensor(model: ModelProto, draw: Random) -> str:
    """The name of something that a node reads or makes."""
    node = draw.choice(model.graph.node)
    return draw.choice([*node.input, *node.output, "x"])


def _between(model: ModelProto, draw: Random, *nodes: NodeProto, end: str) -> None:
    """Put nodes, of which the last makes `end`, between a tensor and one of its readers."""
    place = draw.randrange(len(model.graph.node))
    reader = model.graph.node[place]
    if not reader.input:
        return
    slot = draw.randrange(len(reader.input))
    nodes[0].input[0] = nodes[0].input[0] or reader.input[slot]
    reader.input[slot] = end
    rest = [NodeProto.FromString(n.SerializeToString()) for n in model.graph.node[place:]]
    del model.graph.node[place:]
    model.graph.node.extend((*nodes, *rest))


def _weight(model: ModelProto, value, name: str) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return name


def _bomb(model: ModelProto, draw: Random) -> None:
    """A few bytes that ask for a large constant, or for many."""
    number = len(model.graph.node)
    size = draw.choice((1, 8, 1000, 2**13, 2**20, 2**26, 2**28, 2**31, 2**40))
    sizes = draw.choice(([size], [1, size], [size, 1, 1], [1, 3, size, 1], [size, size]))
    shape = _weight(model, np.array(sizes, np.int64), f"bomb{number}")
    for copy in range(draw.choice((1, 1, 3, 20))):
        name = f"{shape}.{copy}"
        made = helper.make_node("ConstantOfShape", [shape], [name])
        kind = draw.randrange(4)
        if kind == 0:
            _between(model, draw, made, end=name)
            continue
        other = {1: "Add", 2: "Mul", 3: "Expand"}[kind]
        grown = helper.make_node(other, ["", name if kind != 3 else shape], [f"{name}.y"])
        _between(model, draw, grown, end=f"{name}.y")
        if kind != 3:
            model.graph.node.insert(0, made)


def _large_values(model: ModelProto, draw: Random) -> None:
    """Tile, Range, Resize, Pad and OneHot by absurd numbers."""
    number, absurd = len(model.graph.node), draw.choice(ABSURD)
    name = f"large{number}"
    if draw.random() < 0.5:
        repeats = _weight(model, np.array([1, 1, absurd, 1][: draw.randint(1, 4)]), f"{name}.n")
        node = helper.make_node(draw.choice(("Tile", "Pad", "Reshape")), ["", repeats], [name])
    elif draw.random() < 0.5:
        limits = [_weight(model, np.array(v), f"{name}.{i}") for i, v in enumerate((0, absurd, 1))]
        model.graph.node.insert(0, helper.make_node("Range", limits, [f"{name}.r"]))
        node = helper.make_node(draw.choice(("Gather", "Add", "Expand")), ["", f"{name}.r"], [name])
    else:
        scales = np.array([1, 1, draw.choice((1e-9, 0.5, 3, 1e4, 1e30, np.nan)), 1], np.float32)
        node = helper.make_node("Resize", ["", "", _weight(model, scales, f"{name}.s")], [name])
    _between(model, draw, node, end=name)


def _many(model: ModelProto, draw: Random) -> None:
    """One node a thousand times: in a row, side by side, or of the same name."""
    number, op = len(model.graph.node), draw.choice(("Relu", "Identity", "Sigmoid", "Neg", "Shape"))
    count = draw.choice((10, 100, 1000, 3000))
    names = [f"many{number}.{i}" for i in range(count)]
    if draw.random() < 0.3:
        names = [names[0]] * count
    if draw.random() < 0.6:
        nodes = [
            helper.make_node(op, [before], [name])
            for before, name in zip(["", *names], names, strict=False)
        ]
    else:
        source = _some_tensor(model, draw)
        sides = [helper.make_node(op, [source], [name]) for name in names]
        join = draw.choice(("Sum", "Concat", "Max"))
        more = {"axis": draw.choice((0, 1, -1))} if join == "Concat" else {}
        nodes = [*sides, helper.make_node(join, names, [f"{names[0]}.all"], **more)]
    _between(model, draw, *nodes, end=nodes[-1].output[0])


def _names(model: ModelProto, draw: Random) -> None:
    """A name that is odd, or that another has."""
    graph = model.graph
    text = draw.choice((*TEXTS, _some_tensor(model, draw)))
    entry = draw.choice((*graph.node, *graph.initializer, *graph.input, *graph.output))
    if isinstance(entry, NodeProto) and entry.output and draw.random() < 0.7:
        entry.output[0] = text
    else:
        entry.name = text


def _cycle(model: ModelProto, draw: Random) -> None:
    """An earlier node reads what a later one makes."""
    first, second = sorted(draw.choices(range(len(model.graph.node)), k=2))
    if model.graph.node[first].input and model.graph.node[second].output:
        model.graph.node[first].input[0] = model.graph.node[second].output[0]


def _order(model: ModelProto, draw: Random) -> None:
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    draw.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _metadata(model: ModelProto, draw: Random) -> None:
    """Numbers, texts and structure of what darter reads as JSON."""
    keys = ("classes", "preprocess", "calibration", "card", "task", "unknown")
    if not model.metadata_props or draw.random() < 0.3:
        entry = model.metadata_props.add(key=f"darter.{draw.choice(keys)}", value="{}")
    else:
        entry = draw.choice(model.metadata_props)
    digits = [place for place, letter in enumerate(entry.value) if letter.isdigit()]
    absurd = draw.choice((*map(str, ABSURD), "9" * 400, "9" * 5000, "1e400", "NaN", "null", "[]"))
    kind = draw.randrange(4)
    if kind == 0 and digits:
        place = draw.choice(digits)
        entry.value = entry.value[:place] + absurd + entry.value[place + 1 :]
    elif kind == 1:
        entry.value = draw.choice((*TEXTS, "[" * 100_000, absurd, '{"size": ' + absurd + "}"))
    elif kind == 2:
        entry.value = entry.value[: draw.randrange(len(entry.value) + 1)]
    else:
        entry.key = f"darter.{draw.choice(keys)}"


def _tensor_kind(model: ModelProto, draw: Random) -> None:
    """Values in another field, of another type, absurd numbers, or in another file."""
    if not model.graph.initializer:
        return
    tensor = draw.choice(model.graph.initializer)
    kind = draw.randrange(5)
    if kind == 0:
        tensor.ClearField("raw_data")
        tensor.float_data.extend([draw.random() for _ in range(draw.choice((0, 1, 5, 216)))])
    elif kind == 1:
        tensor.data_type = draw.choice((0, 1, 6, 7, 8, 9, 10, 11, 14, 16, 17, 22, 23, 99))
    elif kind == 2 and tensor.data_type == TensorProto.FLOAT:
        values = np.frombuffer(tensor.raw_data, np.float32).copy()
        if values.size:
            values[draw.randrange(values.size)] = draw.choice((np.nan, np.inf, -np.inf, 3e38))
        tensor.raw_data = values.tobytes()
    elif kind == 3:
        tensor.data_location = tensor.EXTERNAL
        for key in draw.sample(("location", "offset", "length", "checksum"), 3):
            value = draw.choice((*TEXTS, *map(str, ABSURD), "model.onnx"))
            tensor.external_data.add(key=key, value=value)
    else:
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)


def _function(model: ModelProto, draw: Random) -> None:
    """A node becomes the call of a function in the file, which may call itself."""
    node = draw.choice(model.graph.node)
    made = model.functions.add(name=draw.choice(("F", node.op_type, "")), domain="local")
    made.input.extend(f"i{i}" for i in range(draw.randint(0, len(node.input) + 1)))
    made.output.extend(f"o{i}" for i in range(len(node.output)))
    inner = made.node.add()
    inner.CopyFrom(node)
    del inner.input[:], inner.output[:]
    inner.input.extend(draw.choice((made.input, [*made.input, "o0"])))
    inner.output.extend(made.output)
    if draw.random() < 0.5:
        inner.op_type, inner.domain = made.name, "local"
    if draw.random() < 0.8:
        made.opset_import.add(domain="", version=draw.choice((8, 13, 18, 21)))
    for _ in range(draw.choice((0, 0, 1, 30))):
        more = made.node.add()
        more.CopyFrom(inner)
    if draw.random() < 0.9:
        model.opset_import.add(domain="local", version=1)
    node.op_type, node.domain = made.name, "local"


def _branch(model: ModelProto, draw: Random) -> None:
    """A node moves into a nested graph, deep down."""
    node = draw.choice(model.graph.node)
    inner = NodeProto.FromString(node.SerializeToString())
    for _ in range(draw.choice((1, 2, 10, 25))):  # protobuf stops at 100 messages in each other
        graph = helper.make_graph([inner], "inside", [], [])
        inner = helper.make_node(draw.choice(("If", "Loop", "Scan")), ["x"], ["y"], body=graph)
    node.op_type = inner.op_type
    node.attribute.extend(inner.attribute)


def _interface(model: ModelProto, draw: Random) -> None:
    """More inputs or outputs, none, doubled, without shapes, of another rank or type."""
    graph = model.graph
    kind = draw.randrange(6)
    entries = draw.choice((graph.input, graph.output))
    if kind == 0:
        del entries[:]
    elif kind == 1 and entries:
        for _ in range(draw.choice((1, 5, 2000))):
            entries.add().CopyFrom(entries[0])
    elif kind == 2 and entries:
        entries[0].type.tensor_type.ClearField("shape")
    elif kind == 3 and entries:
        entries[0].type.tensor_type.shape.dim.add().dim_value = draw.choice(ABSURD)
    elif kind == 4 and entries:
        entries[0].type.tensor_type.elem_type = draw.randrange(25)
    else:
        graph.output.add().name = _some_tensor(model, draw)


def _opsets(model: ModelProto, draw: Random) -> None:
    """None, several, or of other domains."""
    kind = draw.randrange(3)
    if kind == 0:
        del model.opset_import[:]
    model.opset_import.add(
        domain=draw.choice(("", "ai.onnx", "com.microsoft", "local")),
        version=draw.choice((1, 8, 11, 17, 21, *ABSURD[-6:])),
    )


CHANGES: tuple[Change, ...] = (
    _bomb, _bomb, _large_values, _large_values, _many, _names, _names, _cycle, _order, _metadata,
    _metadata, _tensor_kind, _tensor_kind, _function, _branch, _interface, _interface, _opsets,
)  # fmt: skip
