"""One budget of memory and one of time for a file: what it asks for is counted together."""

import sys

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from darter.errors import ModelFileError, ShapeError
from darter.machine import Memory
from darter.net import Program, build, model_in_memory, read_model
from darter.net.budget import GIB, Budget, Limits, enough_memory
from darter.net.onnx.reader import read_graph
from darter.net.passes import improve
from darter.net.plan.builder import Builder
from darter.net.plan.options import Options
from darter.net.plan.packed import Packed
from darter.net.translate import translate


def net(*nodes, opset=18, **constants):
    """x (N, 3, 8, 8) -> y."""
    graph = helper.make_graph(
        [*nodes],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return model_in_memory(helper.make_model(graph, opset_imports=opsets, ir_version=8), "m.onnx")


def built(model):
    return build(model, "x", (3, 8, 8), ("y",))


def ones(count, *sizes):
    """Nodes c0, c1, … of constants, all added to x one after the other."""
    nodes, last = [], "x"
    for i in range(count):
        nodes.append(helper.make_node("ConstantOfShape", ["shape"], [f"c{i}"]))
        nodes.append(helper.make_node("ReduceMax", [f"c{i}"], [f"m{i}"], keepdims=0))
        nodes.append(helper.make_node("Add", [last, f"m{i}"], [f"s{i}"]))
        last = f"s{i}"
    nodes.append(helper.make_node("Relu", [last], ["y"]))
    return net(*nodes, shape=np.array(sizes, np.int64))


def spread(shape, axis=None):
    """Nodes that make a tensor a0 of any shape of x."""
    if axis:
        least = helper.make_node("Slice", ["x", "zero", "one", "one"], ["least"])
    else:
        least = helper.make_node("GlobalMaxPool", ["x"], ["least"])
    return [least, helper.make_node("Expand", ["least", shape], ["a0"])]


def test_constants_below_the_limit_are_counted_together():
    built(ones(3, 2**24))
    with pytest.raises(ModelFileError, match=r"m\.onnx: 'c3' would take.*limit.*1\.0 GiB"):
        built(ones(20, 2**26 - 1))


def test_a_file_may_ask_for_several_times_its_own_weights():
    budget = Budget(weight_bytes=GIB)
    budget.make(9 * GIB, "all")
    with pytest.raises(ModelFileError, match=r"more would take its constants to 9\.0 GiB"):
        budget.make(1, "more")


def test_one_number_many_times_counts_where_it_takes_memory():
    """Weights that the file makes up (as ONNX's own light models) count once, when laid out."""
    side = 2048
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("ConstantOfShape", ["shape"], ["w"]),
        helper.make_node("Transpose", ["w"], ["turned"], perm=[1, 0]),
        helper.make_node("Identity", ["turned"], ["same"]),
        helper.make_node("Gemm", ["flat", "same"], ["y"], transB=1),
    ]
    model = net(*nodes, shape=np.array([192, side]))
    read = read_graph(model.proto, model.path.parent, model.raw)
    budget = Budget()
    translate(read, {"x": (None, 3, 8, 8)}, ("y",), budget=budget)
    assert 4 * 192 * side <= budget.made_bytes < 5 * 192 * side


def test_constants_that_a_weight_is_spread_to_are_counted():
    """A scale of one number becomes one of a whole picture each time."""
    nodes, last = spread("large"), "a0"
    for i in range(40):
        nodes.append(
            helper.make_node("LayerNormalization", [last, "one"], [f"a{i + 1}"], axis=1)
        )  # fmt: skip
        last = f"a{i + 1}"
    nodes.append(helper.make_node("GlobalMaxPool", [last], ["y"]))
    large = np.array([1, 3, 2048, 1024], np.int64)
    with pytest.raises(ModelFileError, match="GiB"):
        built(net(*nodes, large=large, one=np.float32([1])))


def test_many_channels_are_counted_before_anybody_lists_them():
    nodes = spread("large", axis=1)
    nodes += [helper.make_node("Sigmoid", [f"a{i}"], [f"a{i + 1}"]) for i in range(20)]
    nodes.append(helper.make_node("GlobalMaxPool", ["a20"], ["y"]))
    with pytest.raises(ModelFileError, match="GiB"):
        built(net(*nodes, large=np.array([1, 2**20, 8, 8]), zero=[0], one=[1]))


@pytest.mark.parametrize("op", ["Reshape", "Expand", "Slice", "Squeeze", "ReduceMean", "Pad"])
def test_lists_of_millions_are_refused_before_they_are_read(op):
    inputs = ["x", "list", "list"][: 3 if op == "Slice" else 2]
    with pytest.raises(ModelFileError, match=r"lists 1,000,000 numbers"):
        built(net(helper.make_node(op, inputs, ["y"]), list=np.ones(10**6, np.int64)))


def test_products_of_constants_that_would_take_minutes_are_refused():
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["a"], value=one),
        helper.make_node("MatMul", ["a", "a"], ["b"]),
        helper.make_node("ReduceMax", ["b"], ["m"], keepdims=0),
        helper.make_node("Cast", ["m"], ["f"], to=1),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]  # fmt: skip
    with pytest.raises(ShapeError, match="a product of constants"):
        built(net(*nodes, shape=np.array([8000, 8000])))


def test_nets_that_would_compute_for_hours_are_refused():
    nodes = spread("large")
    nodes += [helper.make_node("Conv", [f"a{i}", "w"], [f"a{i + 1}"]) for i in range(50)]
    nodes.append(helper.make_node("GlobalMaxPool", ["a50"], ["y"]))
    constants = {
        "large": np.array([1, 3, 4096, 4096]),
        "w": np.zeros((3, 3, 32, 32), np.float32),
    }
    with pytest.raises(ModelFileError, match=r"one picture would need .*multiply-adds"):
        built(net(*nodes, **constants))


class Clock:
    """Each look at it takes a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def test_time_is_counted_over_all_steps():
    budget = Budget(limits=Limits(seconds=5), clock=Clock())
    graph = built(net(helper.make_node("Relu", ["x"], ["y"])))
    with pytest.raises(ModelFileError, match=r"improving the graph has taken 6 s.*limit is 5 s"):
        improve(graph, budget)


def test_planning_has_a_limit_of_time_unless_it_tunes(monkeypatch):
    graph = built(net(helper.make_node("Relu", ["x"], ["y"])))
    monkeypatch.setattr("darter.net.budget.time.thread_time", Clock())
    monkeypatch.setattr("darter.net.plan.builder.LIMITS", Limits(seconds=2))
    build = Builder(graph, 1, Options(1), Packed())
    build.begin(0, graph.nodes[0])
    with pytest.raises(ModelFileError, match="planning has taken"):
        for _ in range(5):
            build.begin(0, graph.nodes[0])


def test_missing_memory_is_a_sentence():
    @enough_memory("this net")
    def full():
        raise MemoryError

    with pytest.raises(ModelFileError, match="not enough memory for this net"):
        full()


def test_missing_memory_is_noticed_where_a_net_is_read_planned_and_run(monkeypatch):
    def full(*_, **__):
        raise MemoryError

    model = net(helper.make_node("Relu", ["x"], ["y"]))
    graph = built(model)
    program = Program(graph, 1)
    monkeypatch.setattr(np, "empty", full)
    with pytest.raises(ModelFileError, match=r"not enough memory for \[\(1, 3, 8, 8\)\]"):
        program.run(np.ones((1, 3, 8, 8), np.float32))
    monkeypatch.setattr(sys.modules["darter.net.build"], "improve", full)
    with pytest.raises(ModelFileError, match=r"m\.onnx: there is not enough memory"):
        built(model)
    monkeypatch.setattr("darter.net.plan.program.emitted", full)
    with pytest.raises(ModelFileError, match="not enough memory for the plan"):
        Program(graph, 1)


def test_a_plan_beyond_the_machine_is_refused_before_memory_is_taken(monkeypatch):
    graph = built(net(*spread("large"), helper.make_node("Sigmoid", ["a0"], ["y"]), large=LARGE))
    Program(graph, 1)
    monkeypatch.setattr("darter.net.plan.limits.memory_now", lambda: Memory(128 << 20, 0))
    with pytest.raises(ShapeError, match=r"need 0\.\d GiB; there are 0\.1 GiB at most"):
        Program(graph, 1)


LARGE = np.array([1, 3, 4096, 4096])


def test_attributes_that_list_thousands_of_axes_are_refused():
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1] * 5000)
    with pytest.raises(ModelFileError, match="axes lists 5,000 numbers; darter's limit is 64"):
        built(net(node, opset=13))


@pytest.mark.parametrize("place", ["name", "attribute", "domain"])
def test_names_that_are_no_utf8_are_refused_wherever_they_stand(tmp_path, place):
    node = helper.make_node("Relu", ["x"], ["y"], name="name", domain="domain")
    node.attribute.add(name="attribute", i=1, type=2)
    content = net(node).proto.SerializeToString().replace(place.encode(), b"\xff" * len(place))
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match="not UTF-8"):
        read_model(tmp_path / "m.onnx")
