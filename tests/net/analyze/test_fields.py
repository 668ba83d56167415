"""A receptive field is where the gradient of a unit is not zero."""

from math import floor

import numpy as np
import pytest
import torch

from darter.arrange import GraphModule
from darter.errors import UnsupportedError
from darter.net import Graph
from darter.net.analyze.fields import fields
from darter.net.graph import node
from tests.net.random_graphs import random_case

SIDES, MARGIN = (71, 69), 8  # nearer to an edge, inner layers' padding narrows what is seen


def support(graph: Graph, x: np.ndarray, output: int, unit: tuple[int, ...]) -> np.ndarray:
    """Where (H, W) one number of an output depends on the picture."""
    picture = torch.from_numpy(x).double().requires_grad_()
    value = GraphModule(graph).double().run((picture,))[output][unit]
    if not value.requires_grad:
        return np.zeros(x.shape[2:], bool)
    (gradient,) = torch.autograd.grad(value, picture, allow_unused=True)
    return np.zeros(x.shape[2:], bool) if gradient is None else gradient[0].abs().sum(0).numpy() > 0


def seen(span, unit, size):
    """First and last pixel inside the picture that a unit sees."""
    at = 0 if span.axis is None else unit[span.axis] * span.stride
    return max(0, floor(span.first + at)), min(size - 1, floor(span.last + at + 1 - 1e-9))


def box(graph, output, unit, size):
    field = fields(graph)[graph.outputs[output]]
    return [seen(s, unit, n) for s, n in zip((field.rows, field.columns), size, strict=True)]


def test_no_gradient_lies_outside_of_a_field_in_random_graphs():
    looked, local = 0, 0
    for number in range(300):
        graph = random_case(number).graph
        (shape,) = graph.inputs.values()
        reflected = any(n.attributes.get("mode") in ("reflect", "edge") for n in graph.nodes)
        if len(shape) != 4 or reflected:  # what is reflected counts as padding
            continue
        rng = np.random.default_rng(number)
        x = rng.standard_normal((1, *shape[1:]))
        try:
            outputs = GraphModule(graph).double().run((torch.from_numpy(x),))
        except UnsupportedError:
            continue
        known = fields(graph)
        for k, name in enumerate(graph.outputs):
            if name not in known:
                continue
            unit = tuple(int(rng.integers(n)) for n in outputs[k].shape)
            (top, bottom), (left, right) = box(graph, k, unit, x.shape[2:])
            inside = support(graph, x, k, unit)
            inside[top : bottom + 1, left : right + 1] = False
            assert not inside.any(), (number, name, unit)
            looked += 1
            local += known[name].rows.axis is not None
    assert looked > 100
    assert local > 50


def random_net(rng) -> Graph:
    """Convolutions, pools and branches whose gradients are all positive."""
    nodes, weights, name, channels = [], {}, "x", 2

    def conv(source, k, stride, dilation, pads):
        at = len(nodes)
        weights[f"w{at}"] = rng.uniform(0.1, 1, (channels, channels, *k)).astype(np.float32)
        weights[f"b{at}"] = np.zeros(channels, np.float32)
        nodes.append(
            node(
                "Conv", f"c{at}", [source, f"w{at}", f"b{at}"], f"t{at}", strides=(stride,) * 2,
                dilations=(dilation,) * 2, pads=pads,
            )
        )  # fmt: skip
        return f"t{at}"

    for _ in range(int(rng.integers(1, 5))):
        kind = rng.choice(["conv", "conv", "pool", "branch"])
        if kind == "conv":
            k = tuple(int(each) for each in rng.integers(1, 4, 2))
            pads = tuple(int(each) for each in rng.integers(0, 3, 4))
            name = conv(name, k, int(rng.integers(1, 3)), int(rng.choice([1, 1, 2])), pads)
        elif kind == "pool":
            at = len(nodes)
            given = {"kernel": (2, 3), "strides": (2, 1), "pads": (0, 1, 0, 1)}
            nodes.append(node("AveragePool", f"p{at}", [name], f"t{at}", **given))
            name = f"t{at}"
        else:
            wide = conv(name, (5, 3), 1, 1, (2, 1, 2, 1))
            at = len(nodes)
            nodes.append(node("Eltwise", f"e{at}", [name, wide], f"t{at}", function="add"))
            name = f"t{at}"
    return Graph(tuple(nodes), {"x": (None, channels, *SIDES)}, (name,), weights)


@pytest.mark.parametrize("number", range(40))
def test_fields_are_exact_where_every_weight_is_positive(number):
    rng = np.random.default_rng([1, number])
    graph = random_net(rng)
    x = rng.standard_normal((1, 2, *SIDES))
    shape = GraphModule(graph).double()(torch.from_numpy(x)).shape
    unit = (0, 0, shape[2] // 2, shape[3] // 2)
    where = support(graph, x, 0, unit)
    found = [np.flatnonzero(where.any(axis)) for axis in (1, 0)]
    expected = box(graph, 0, unit, SIDES)
    for places, (first, last), size in zip(found, expected, SIDES, strict=True):
        assert first <= places[0] <= places[-1] <= last
        far_from_edges = MARGIN <= first <= last < size - MARGIN
        if far_from_edges and not has_holes(graph):
            assert (places[0], places[-1]) == (first, last)


def has_holes(graph) -> bool:
    """Dilated windows, and strides above their windows, leave pixels out, also at the edge."""
    for each in graph.nodes:
        kernel = (
            each.attributes.get("kernel")
            or graph.weights.get(
                each.inputs[1] if len(each.inputs) > 1 else "", np.ones((1, 1, 9, 9))
            ).shape[2:]
        )
        strides = each.attributes.get("strides", (1, 1))
        if max(each.attributes.get("dilations", (1, 1))) > 1 or any(
            s > k for s, k in zip(strides, kernel, strict=True)
        ):
            return True
    return False


@pytest.mark.parametrize(("count", "side"), [(1, 3), (2, 5), (3, 7), (4, 9)])
def test_stacks_of_three_by_three_see_as_the_lecture_says(count, side):
    weights = {"w": np.ones((1, 1, 3, 3), np.float32), "b": np.zeros(1, np.float32)}
    nodes = tuple(
        node("Conv", f"c{i}", [f"t{i}" if i else "x", "w", "b"], f"t{i + 1}", pads=(1, 1, 1, 1))
        for i in range(count)
    )
    graph = Graph(nodes, {"x": (None, 1, 20, 20)}, (f"t{count}",), weights)
    field = fields(graph)[f"t{count}"]
    assert (field.rows.size, field.columns.size) == (side, side)
    assert (field.rows.stride, field.rows.first) == (1, -(side // 2))
