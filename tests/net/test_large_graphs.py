"""Graphs of tens of thousands of nodes are read and planned in time that grows with their size."""

import sys
from collections.abc import Callable
from types import CodeType, FrameType

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from darter.net import Programs, build, model_in_memory
from darter.net.plan import storage
from darter.net.plan.storage import MOST_COMPARED, Storage, arrange

SMALL = 1000  # nodes
TURN = {"perm": [0, 1, 3, 2]}


def model(nodes: list, last: str, weights: dict) -> ModelProto:
    shapes = ("n", 3, 4, 4)
    nodes = [*nodes, helper.make_node("GlobalMaxPool", [last], ["y"])]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shapes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3, 1, 1))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def chain(count: int, *ops: str, letters: str = "t") -> ModelProto:
    """One node after the other, of these operations in turn; Transposes are of rows and columns."""
    names = [f"{letters}{i}" for i in range(count)]
    nodes = [
        helper.make_node(
            op := ops[i % len(ops)], [before], [name], **TURN if op == "Transpose" else {}
        )
        for i, (before, name) in enumerate(zip(["x", *names], names, strict=False))
    ]
    return model(nodes, names[-1], {})


def pushed_turns(count: int) -> ModelProto:
    """Channels last from the first node to the last."""
    first = helper.make_node("Transpose", ["x"], ["last0"], perm=[0, 2, 3, 1])
    middle = [
        helper.make_node("Sigmoid", [f"last{i}"], [f"last{i + 1}"]) for i in range(count)
    ]  # fmt: skip
    back = helper.make_node("Transpose", [f"last{count}"], ["first"], perm=[0, 3, 1, 2])
    return model([first, *middle, back], "first", {})


def constants(count: int) -> ModelProto:
    """Arithmetic on constants, then with pictures."""
    nodes = [helper.make_node("Add", [f"c{i}", "c0"], [f"c{i + 1}"]) for i in range(count)]
    nodes.append(helper.make_node("Add", ["x", f"c{count}"], ["sum"]))
    return model(nodes, "sum", {"c0": np.float32(1e-3)})


def scales(count: int) -> ModelProto:
    """Sums with constants, which all become one."""
    nodes = [
        helper.make_node("Add", [f"s{i}" if i else "x", "c"], [f"s{i + 1}"]) for i in range(count)
    ]
    return model(nodes, f"s{count}", {"c": np.float32(1e-3)})


def wide(count: int) -> ModelProto:
    """Everything reads the picture, and one node reads everything."""
    nodes = [helper.make_node("Sigmoid", ["x"], [f"s{i}"]) for i in range(count // 2)]
    nodes.append(helper.make_node("Sum", [node.output[0] for node in nodes], ["sum"]))
    return model(nodes, "sum", {})


def joined(count: int) -> ModelProto:
    nodes = [helper.make_node("Sigmoid", ["x"], [f"s{i}"]) for i in range(count)]
    nodes.append(helper.make_node("Concat", [n.output[0] for n in nodes], ["all"], axis=1))
    nodes.append(helper.make_node("Slice", ["all", "zero", "three", "one"], ["cut"]))
    return model(nodes, "cut", {name: np.array([i]) for name, i in PLACES.items()})


PLACES = {"zero": 0, "three": 3, "one": 1}


def diamonds(count: int) -> ModelProto:
    """Two ways from node to node: 2 ** (count / 2) from end to end."""
    nodes = []
    for i in range(count // 2):
        before = f"d{i}" if i else "x"
        nodes.append(helper.make_node("Sigmoid", [before], [f"s{i}"]))
        nodes.append(helper.make_node("Add", [before, f"s{i}"], [f"d{i + 1}"]))
    return model(nodes, f"d{count // 2}", {})


def convolutions(count: int) -> ModelProto:
    nodes = [
        helper.make_node("Conv", [f"k{i}" if i else "x", "w"], [f"k{i + 1}"]) for i in range(count)
    ]
    return model(nodes, f"k{count}", {"w": np.full((3, 3, 1, 1), 0.3, np.float32)})


SHAPES: dict[str, Callable[[int], ModelProto]] = {
    "activations": lambda count: chain(count, "Relu"),
    "idle": lambda count: chain(count, "Sum"),
    "aliases": lambda count: chain(count, "Identity"),
    "turns": lambda count: chain(count, "Transpose"),
    "moves and activations": lambda count: chain(count, "Transpose", "Sigmoid"),
    "long names": lambda count: chain(count, "Sigmoid", letters="name" * 250),
    "pushed turns": pushed_turns,
    "constants": constants,
    "scales": scales,
    "wide": wide,
    "joined": joined,
    "diamonds": diamonds,
    "convolutions": convolutions,
}


def planned(proto: ModelProto) -> Programs:
    model = model_in_memory(proto, "large.onnx")
    programs = Programs(lambda: build(model, "x", (3, 4, 4), ("y",)), threads=1)
    programs.program(2)
    return programs


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of darter's Python `work` runs, loops in comprehensions included.

    Work in C (`list.count`, a set of all names) is not seen: see the slow test for that.
    """
    count = 0
    ours: dict[CodeType, bool] = {}

    def line(frame: FrameType, event: str, argument: object):
        nonlocal count
        count += 1
        return line

    def call(frame: FrameType, event: str, argument: object):
        code = frame.f_code
        if code not in ours:
            ours[code] = "/darter/" in code.co_filename
        return line if ours[code] else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_work_grows_with_the_number_of_nodes(shape, monkeypatch):
    monkeypatch.setattr(storage, "MOST_COMPARED", 0)
    small, large = SHAPES[shape](SMALL // 4), SHAPES[shape](SMALL)
    planned(small)  # what is worked out once per process is not counted
    assert lines_run(lambda: planned(large)) < 5 * lines_run(lambda: planned(small))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_fifty_thousand_nodes_are_planned_before_anybody_gives_up(shape):
    import time

    proto = SHAPES[shape](50_000)
    begun = time.thread_time()
    planned(proto)
    assert time.thread_time() - begun < 60  # about 5 s; a scan per node took many minutes


@pytest.mark.parametrize("count", [MOST_COMPARED, MOST_COMPARED + 1])
def test_tensors_that_live_at_the_same_time_lie_apart(count):
    draw = np.random.default_rng(count)
    every = [
        Storage(int(draw.choice([1, 16, 100, 5000])), first=i, last=i + int(draw.integers(1, 5)))
        for i in range(count)
    ]
    size = arrange(every)
    assert size < 40 * 5008
    alive: list[Storage] = []
    for one in every:
        alive = [other for other in alive if other.last >= one.first]
        begin, end = one.index, one.index + one.bytes
        assert 0 <= begin < end <= size
        for other in alive:
            assert end <= other.index or other.index + other.bytes <= begin
        alive.append(one)
