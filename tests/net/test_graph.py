import numpy as np
import pytest

from darter.errors import ModelFileError, ShapeError
from darter.net.graph import Graph, in_order, node
from darter.net.infer import infer
from darter.net.ops import OPS, Activation

X = {"x": (None, 3, 8, 8)}


def relu(name, source, target):
    return node("Activation", name, [source], target, activation=Activation("relu"))


def chain(*names):
    """x -> names[0] -> names[1] ..."""
    nodes = [relu(new, old, new) for old, new in zip(("x", *names), names, strict=False)]
    return Graph(tuple(nodes), X, (names[-1],), {})


def test_a_graph_knows_who_makes_and_who_reads():
    graph = chain("a", "b")
    a, b = graph.nodes
    assert graph.producer("a") is a
    assert graph.producer("x") is None
    assert graph.consumers("a") == (b,)
    assert graph.only_consumer("a") is b
    assert graph.only_consumer("b") is None, "an output is read by the caller too"


def test_a_change_keeps_the_order_and_drops_what_is_not_needed():
    graph = chain("a", "b", "c")
    _, b, _ = graph.nodes
    less = graph.changed({b: ()}, renamed={"b": "a"})
    assert [n.name for n in less.nodes] == ["a", "c"]
    assert less.nodes[1].inputs == ("a",)
    more = graph.changed({b: [relu("b2", "b1", "b"), relu("b1", "a", "b1")]})
    assert [n.name for n in more.nodes] == ["a", "b1", "b2", "c"]


def test_weights_nobody_reads_are_dropped():
    graph = chain("a").changed({}, {"unused": np.zeros(3, np.float32)})
    assert not graph.weights


def test_loops_and_loose_ends_are_damaged_files():
    with pytest.raises(ModelFileError, match="depends on its own output"):
        in_order((relu("a", "b", "a"), relu("b", "a", "b")), {"x"}, ["b"])
    with pytest.raises(ModelFileError, match="'a' is used but nothing makes it"):
        in_order((relu("b", "a", "b"),), {"x"}, ["b"])


def test_very_deep_graphs_are_ordered():
    assert len(in_order(chain(*map(str, range(50_000))).nodes, {"x"}, ["49999"])) == 50_000


def test_shapes_follow_the_number_of_pictures():
    assert infer(chain("a"), 5)["a"] == (5, 3, 8, 8)


def test_a_shape_error_names_node_operation_and_shapes():
    bad = node("Transpose", "turn", ["x"], "y", order=(0, 1))
    with pytest.raises(ShapeError, match=r"Transpose 'turn': .* its inputs are \(2, 3, 8, 8\)"):
        infer(Graph((bad,), X, ("y",), {}), 2)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (node("Expand", "n", ["x"], "y", shape=(10**4, 10**4, 1, 3, 8, 8)), "cannot be computed"),
        (node("Pad", "n", ["x"], "y", pads=(0,) * 7 + (10**9,)), "above the limit of 4096"),
        (node("Resize", "n", ["x"], "y", size=(8, 10**9), scales=(1, 10**9)), "1 to 16384"),
    ],
)
def test_sizes_beyond_reason_are_refused_before_anything_is_made(made, message):
    with pytest.raises(ShapeError, match=message):
        infer(Graph((made,), X, ("y",), {}), 1)


def test_every_operation_names_its_inputs_and_constants():
    for name, op in OPS.items():
        inputs = op.inputs.replace("?", "").split()
        assert set(op.constants) <= set(inputs), name
