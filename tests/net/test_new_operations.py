"""Operations that no classifier of the first years had, against ONNX Runtime."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.errors import DarterError, UnsupportedError
from tests.net.onnx_nets import N, check, graph_of, net

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("c", [3, 16, 20, 48])
@pytest.mark.parametrize("shape", [(9, 8), (40,), (2, 3, 4)])
def test_instance_normalization(c, shape):
    nodes = [N("InstanceNormalization", ["x", "s", "b"], ["y"], epsilon=1e-3)]
    if len(shape) != 2:
        nodes.insert(0, N("Reshape", ["x", "shape"], ["r"]))
        nodes[1].input[0] = "r"
    weights = {"s": array(c), "b": array(c), "shape": ints(0, c, *shape)}
    picture = (c, *shape) if len(shape) == 2 else (c, int(np.prod(shape)), 1)
    check(net(nodes, weights, x=("n", *picture)), *picture)


def test_normalization_far_from_zero_keeps_its_digits():
    nodes = [
        N("Add", ["x", "far"], ["f"]),
        N("InstanceNormalization", ["f", "s", "b"], ["y"]),
    ]
    weights = {"far": np.float32(1000), "s": array(5), "b": array(5)}
    check(net(nodes, weights, x=("n", 5, 30, 30)), 5, 30, 30, tolerance=2e-4)


@pytest.mark.parametrize(("c", "groups"), [(32, 8), (20, 5), (48, 1), (24, 24)])
@pytest.mark.parametrize("form", ["per group", "per channel", "as exported"])
def test_group_normalization(c, groups, form):
    if form == "as exported":  # PyTorch, up to version 20
        weights = {
            "apart": ints(0, groups, -1), "ones": np.ones(groups, np.float32),
            "zeros": np.zeros(groups, np.float32), "back": ints(0, c, 6, 5),
            "s": array(c, 1, 1), "b": array(c, 1, 1),
        }  # fmt: skip
        nodes = [
            N("Reshape", ["x", "apart"], ["g"]),
            N("InstanceNormalization", ["g", "ones", "zeros"], ["i"]),
            N("Reshape", ["i", "back"], ["r"]),
            N("Mul", ["r", "s"], ["m"]),
            N("Add", ["m", "b"], ["y"]),
        ]
        graph = check(net(nodes, weights, x=("n", c, 6, 5)), c, 6, 5)
        assert [node.op for node in graph.nodes] == ["GroupNorm"]
        return
    size, opset = (groups, 20) if form == "per group" else (c, 21)
    weights = {"s": array(size), "b": array(size)}
    nodes = [N("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=groups)]
    check(net(nodes, weights, x=("n", c, 6, 5), opset=opset), c, 6, 5)


@given(
    c=st.sampled_from([1, 3, 16, 20]),
    k=st.sampled_from([1, 2, 16, 24]),
    group=st.sampled_from([1, 1, "all"]),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    how=st.sampled_from(["pads", "auto", "shape"]),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_transposed_convolutions(c, k, group, kernel, strides, dilations, how, data):
    group = c if group == "all" else 1
    reach = [(r - 1) * d + 1 for r, d in zip(kernel, dilations, strict=True)]
    given_ = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": group}
    if how == "pads":
        given_["pads"] = [data.draw(st.integers(0, min(r - 1, 3))) for r in reach * 2]
        extra = [data.draw(st.integers(0, stride - 1)) for stride in strides]
        given_["output_padding"] = extra
    elif how == "auto":
        given_["auto_pad"] = data.draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    weights = {"w": array(c, k, *kernel) / np.float32(c**0.5), "b": array(k * group)}
    nodes = [
        N("ConvTranspose", ["x", "w", "b"][: data.draw(st.integers(2, 3))], ["t"], **given_),
        N("Relu", ["t"], ["y"]),
    ]
    model = net(nodes, weights, x=("n", c, 5, 6))
    sizes = [(n - 1) * s + r for n, s, r in zip((5, 6), strides, reach, strict=True)]
    if how == "pads":
        pads = given_["pads"]
        sizes = [size + extra[i] - pads[i] - pads[i + 2] for i, size in enumerate(sizes)]
    if how == "auto" and any(r < s for r, s in zip(reach, strides, strict=True)):
        return  # runtimes disagree
    if min(sizes) > 0:
        check(model, c, 5, 6)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 5, 16, 32])
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(side, k, mode):
    nodes = [
        N("Relu", ["x"], ["r"]),
        N("DepthToSpace", ["r"], ["y"], blocksize=side, mode=mode),
    ]
    c = k * side * side
    check(net(nodes, {}, x=("n", c, 4, 3)), c, 4, 3, tolerance=0)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("c", [3, 16])
def test_space_to_depth(side, c):
    nodes = [N("SpaceToDepth", ["x"], ["y"], blocksize=side)]
    check(net(nodes, {}, x=("n", c, 6, 12)), c, 6, 12, tolerance=0)


@pytest.mark.parametrize("op", ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
@pytest.mark.parametrize("other", [(), (1, 8), (3, 1, 1), (3, 9, 8)])
def test_comparisons_choose(op, other):
    nodes = [N(op, ["x", "c"], ["t"]), N("Where", ["t", "x", "c"], ["y"])]
    check(net(nodes, {"c": array(*other)}), 3, 9, 8)


def test_truth_values():
    nodes = [
        N("Greater", ["x", "zero"], ["a"]),
        N("Less", ["x", "one"], ["b"]),
        N("And", ["a", "b"], ["c"]),
        N("Not", ["c"], ["d"]),
        N("Or", ["d", "a"], ["e"]),
        N("Cast", ["e"], ["f"], to=1),
        N("Where", ["mask", "f", "x"], ["y"]),
    ]
    weights = {"zero": np.float32(0), "one": np.float32(1), "mask": array(9, 8) > 0}
    check(net(nodes, weights), 3, 9, 8)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("last", [0, 1])
def test_the_place_of_the_largest(op, axis, keep, last):
    nodes = [
        N("Relu", ["x"], ["r"]),  # with ties
        N(op, ["r"], ["t"], axis=axis, keepdims=keep, select_last_index=last),
        N("Cast", ["t"], ["y"], to=1),
    ]
    check(net(nodes, {}, x=("n", 20, 5, 6)), 20, 5, 6, tolerance=0)


@pytest.mark.parametrize(
    ("equation", "constant"),
    [
        ("nchw,kc->nkhw", (7, 5)),
        ("nchw,nkhw->nck", None),
        ("nchw,nkhw->nkc", None),
        ("nchw,ndhw->nhwcd", None),
        ("nchw,cd->nhwd", (5, 7)),
        ("nchw,chw->n", (5, 4, 6)),
        ("nchw,chw->nh", (5, 4, 6)),
        ("...hw,wk->...hk", (6, 3)),
        ("kc,nchw->nhwk", (7, 5)),
        ("nchw,nchw->nhw", None),
        ("nchw->nwc", None),
        ("nchw->nhcw", None),
    ],
)
def test_einsum(equation, constant):
    inputs = ["x"] if "," not in equation else ["x", "c"]
    if equation.startswith("kc"):
        inputs = ["c", "x"]
    nodes = [N("Einsum", inputs, ["y"], equation=equation)]
    weights = {} if constant is None else {"c": array(*constant)}
    if constant is None and "," in equation:
        nodes.insert(0, N("Tanh", ["x"], ["c"]))
    check(net(nodes, weights, x=("n", 5, 4, 6)), 5, 4, 6)


@pytest.mark.parametrize("equation", ["nchw,ncwh", "nchw,mchw->nm", "nchw,nchw->chw"])
def test_an_einsum_that_joins_pictures_is_refused(equation):
    nodes = [N("Tanh", ["x"], ["c"]), N("Einsum", ["x", "c"], ["y"], equation=equation)]
    with pytest.raises(DarterError):
        graph_of(net(nodes, {}, x=("n", 5, 4, 6)), np.zeros((1, 5, 4, 6)))


@pytest.mark.parametrize(
    "node",
    [
        N("Selu", ["x"], ["y"]),
        N("Selu", ["x"], ["y"], alpha=1.1, gamma=0.7),
        N("Celu", ["x"], ["y"], alpha=0.5),
        N("ThresholdedRelu", ["x"], ["y"], alpha=0.3),
        N("Softsign", ["x"], ["y"]),
        N("Abs", ["x"], ["y"]),
        N("Mean", ["x", "c", "x"], ["y"]),
        N("LpNormalization", ["x"], ["y"], axis=1, p=2),
        N("LpNormalization", ["x"], ["y"], axis=-1, p=1),
    ],
    ids=lambda node: node.op_type,
)
def test_activations_and_kin(node):
    check(net([node], {"c": array(3, 1, 1)}), 3, 9, 8)


@pytest.mark.parametrize(
    "op", ["ReduceL1", "ReduceProd", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"]
)
@pytest.mark.parametrize("axes", [[1], [2, 3], [1, 2, 3]])
def test_reductions(op, axes):
    nodes = [N(op, ["x"], ["y"], axes=axes)]
    check(net(nodes, {}, x=("n", 3, 4, 2)), 3, 4, 2, positive=op == "ReduceLogSum", tolerance=5e-5)


GATES = {"LSTM": 4, "GRU": 3}


def recurrent(op, *, size, c, direction, layout=0, reads="Y", **more):
    """A row of pixels as steps of time."""
    ways = 2 if direction == "bidirectional" else 1
    weights = {
        "w": array(ways, GATES[op] * size, c) / np.float32(c**0.5),
        "r": array(ways, GATES[op] * size, size) / np.float32(size**0.5),
        "b": array(ways, 2 * GATES[op] * size) / 2,
        "two": ints(2),
    }
    nodes = [
        N("Squeeze", ["x", "two"], ["row"]),
        N("Transpose", ["row"], ["t"], perm=[0, 2, 1] if layout else [2, 0, 1]),
        N(op, ["t", "w", "r", "b"], ["Y", "Y_h"], hidden_size=size, direction=direction, **more),
        N("Identity", [reads], ["y"]),
    ]
    if layout:
        nodes[2].attribute.append(N("x", [], [], layout=1).attribute[0])
    return net(nodes, weights, x=("n", c, 1, 7))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("reads", ["Y", "Y_h"])
@pytest.mark.parametrize("size", [5, 16, 40])
def test_recurrent_layers(op, direction, reads, size):
    check(recurrent(op, size=size, c=6, direction=direction, reads=reads), 6, 1, 7)


def test_a_gru_that_resets_after_the_product():
    for direction in ("forward", "bidirectional"):
        model = recurrent("GRU", size=9, c=4, direction=direction, linear_before_reset=1)
        check(model, 4, 1, 7, batches=(1, 2, 9))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("batch_first", [False, True])
def test_recurrent_layers_as_pytorch_writes_them(op, batch_first, tmp_path):
    import onnx
    import torch

    class Reader(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = getattr(torch.nn, op)(
                6, 10, num_layers=2, bidirectional=True, batch_first=batch_first
            )
            self.last = torch.nn.Linear(20, 11)

        def forward(self, x):
            row = x.squeeze(2)
            y, _ = self.layer(row.permute(0, 2, 1) if batch_first else row.permute(2, 0, 1))
            return self.last(y)

    torch.manual_seed(0)
    file = tmp_path / "r.onnx"
    torch.onnx.export(
        Reader().eval(), (torch.randn(2, 6, 1, 7),), file, dynamo=False, opset_version=17,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}},
    )  # fmt: skip
    check(onnx.load(file), 6, 1, 7)


def test_what_a_recurrent_layer_cannot_do_is_named():
    model = recurrent(
        "LSTM", size=5, c=6, direction="forward", activations=["Relu", "Tanh", "Tanh"]
    )
    with pytest.raises(UnsupportedError, match="activations"):
        graph_of(model, np.zeros((1, 6, 1, 7)))


def test_weights_that_are_worked_out_in_the_file():
    """Standardized by a batch normalization in training, indexed, summed up."""
    w = array(4, 3, 3, 3)
    nodes = [
        N("Reshape", ["w", "rows"], ["r"]),
        N(
            "BatchNormalization", ["r", "gain", "zero", "zero", "one"], ["s", "m", "v"],
            training_mode=1,
        ),
        N("Reshape", ["s", "filters"], ["f"]),
        N("Conv", ["x", "f"], ["c"], pads=[1, 1, 1, 1]),
        N("CumSum", ["counts", "axis"], ["places"], exclusive=1),
        N("Unsqueeze", ["places", "axis1"], ["indices"]),
        N("GatherND", ["table", "indices"], ["bias"]),
        N("Sin", ["bias"], ["sine"]),
        N("Reshape", ["sine", "column"], ["b"]),
        N("Add", ["c", "b"], ["y"]),
    ]  # fmt: skip
    weights = {
        "w": w, "rows": ints(1, 4, -1), "gain": array(4), "zero": np.zeros(4, np.float32),
        "one": np.ones(4, np.float32), "filters": ints(4, 3, 3, 3), "counts": ints(1, 1, 1, 1),
        "axis": np.int64(0), "axis1": ints(1), "table": array(6), "column": ints(4, 1, 1),
    }  # fmt: skip
    check(net(nodes, weights), 3, 9, 8)
