"""Graphs as PyTorch modules compute what the plain executor computes, and have gradients."""

import numpy as np
import pytest
import torch

from darter.arrange import GraphModule
from darter.errors import UnsupportedError
from darter.net.passes import improve
from tests.net.random_graphs import random_case
from tests.references.net import run_graph

FIRST, COUNT = 9000, 300


def test_random_graphs_are_computed():
    computed = 0
    for number in range(FIRST, FIRST + COUNT):
        case = random_case(number)
        (shape,) = case.graph.inputs.values()
        x = np.random.default_rng(number).standard_normal((case.batch, *shape[1:]))
        truth = run_graph(case.graph, x)
        for graph in (case.graph, improve(case.graph)):
            try:
                module = GraphModule(graph).double()
            except UnsupportedError as error:
                assert any(op in str(error) for op in ("Recurrent", "Resize", "Binar")), error
                continue
            found = module.run((torch.from_numpy(x),))
            for ours, exact in zip(found, truth, strict=True):
                assert ours.shape == exact.shape
                most = max(1.0, np.abs(exact).max(initial=0))
                np.testing.assert_allclose(
                    ours.detach().numpy(), exact, rtol=0, atol=1e-4 * most, err_msg=str(number)
                )
            computed += 1
    assert computed > COUNT


def test_weights_that_are_trained_come_back():
    case = next(c for c in map(random_case, range(100)) if c.graph.weights)
    module = GraphModule(case.graph)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(1)
    for name, value in module.graph().weights.items():
        np.testing.assert_array_equal(value, case.graph.weights[name] + np.float32(1))


def test_what_has_no_gradient_is_named():
    recurrent = (c.graph for c in map(random_case, range(3000)))
    graph = next(g for g in recurrent if any(n.op == "Recurrent" for n in g.nodes))
    with pytest.raises(UnsupportedError, match="Recurrent"):
        GraphModule(graph)
