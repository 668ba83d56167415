"""A graph of darter's operations as a PyTorch module: for gradients, training and rewriting.

module = GraphModule(graph)
module(x)                        what the engine computes, with gradients
module.graph()                   a graph with the weights that it has now
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from darter.arrange.operations import OPERATIONS
from darter.errors import UnsupportedError
from darter.net import Graph, Node, attributes


class GraphModule(nn.Module):
    """Its parameters are the graph's weights, under numbers; `weights` has them by name.

    Raises UnsupportedError, which names the operations that have no gradient here.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        missing = sorted({n.op for n in graph.nodes if n.op not in OPERATIONS})
        if missing:
            raise UnsupportedError(f"cannot be trained: no gradient for {', '.join(missing)}")
        self._graph = graph
        self._given = [attributes(n.op, n.attributes) for n in graph.nodes]
        self._numbers = {name: str(i) for i, name in enumerate(graph.weights)}
        self.values = nn.ParameterDict(
            {
                number: nn.Parameter(torch.from_numpy(np.array(graph.weights[name], np.float32)))
                for name, number in self._numbers.items()
            }
        )
        self._last_use = {
            name: i for i, node in enumerate(graph.nodes) for name in (*node.inputs, *node.outputs)
        }

    def weight(self, name: str) -> nn.Parameter:
        return self.values[self._numbers[name]]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self._graph.nodes

    def forward(self, *inputs: Tensor) -> Tensor | list[Tensor]:
        """The outputs for these inputs, one tensor if there is one output."""
        results = self.run(inputs)
        return results[0] if len(results) == 1 else results

    def run(
        self, inputs: tuple[Tensor, ...], keep: Mapping[str, list[Tensor]] | None = None
    ) -> list[Tensor]:
        """keep: name of a tensor -> a list that its value is put into when it is computed."""
        keep = keep or {}
        graph = self._graph
        known: dict[str, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
        for name in known.keys() & keep.keys():
            keep[name].append(known[name])
        wanted = set(graph.outputs)
        for number, node in enumerate(graph.nodes):
            read = [known[n] if n in known else self.weight(n) for n in node.inputs if n]
            made = OPERATIONS[node.op](self._given[number], *read)
            made = made if isinstance(made, list) else [made]
            for name, value in zip(node.outputs, made, strict=True):
                known[name] = value
                if name in keep:
                    keep[name].append(value)
            for name in (*node.inputs, *node.outputs):
                if self._last_use[name] == number and name not in wanted:
                    known.pop(name, None)
        return [known[n] if n in known else self.weight(n) for n in graph.outputs]

    @torch.no_grad()
    def graph(self) -> Graph:
        """The graph with the weights as they are now."""
        weights = {
            name: self.weight(name).detach().cpu().float().numpy().copy() for name in self._numbers
        }
        return replace(self._graph, weights=weights)
