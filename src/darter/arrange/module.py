"""A graph of darter's operations as a PyTorch module: for gradients, training and rewriting.

module = GraphModule(graph)
module(x)                        what the engine computes, with gradients
module.graph()                   a graph with the layers and weights that it has now
"""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darter.arrange.operations import OPERATIONS, finish, padded
from darter.errors import UnsupportedError
from darter.net import Graph, Node, attributes, infer


class GraphModule(nn.Module):
    """Convolutions and fully connected layers are nn.Conv2d and nn.Linear in `layers`, by the
    number of their node; any may be replaced by an nn.Sequential of its own kind. The other weights
    are parameters. Raises UnsupportedError, which names the operations that have no gradient here.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        missing = sorted({n.op for n in graph.nodes if n.op not in OPERATIONS})
        if missing:
            raise UnsupportedError(f"cannot be trained: no gradient for {', '.join(missing)}")
        self._graph = graph
        self._given = [attributes(n.op, n.attributes) for n in graph.nodes]
        uses = Counter(name for n in graph.nodes for name in n.inputs)
        self.layers = nn.ModuleDict()
        held: set[str] = set()
        for number, node in enumerate(graph.nodes):
            names = node.inputs[1:3]
            if node.op in ("Conv", "Gemm") and all(uses[n] == 1 for n in names):
                self.layers[str(number)] = _layer(node, self._given[number], graph)
                held.update(names)
        self._numbers = {n: str(i) for i, n in enumerate(graph.weights) if n not in held}
        self.values = nn.ParameterDict(
            {number: _parameter(graph.weights[name]) for name, number in self._numbers.items()}
        )
        shapes = infer(graph, 2)
        self._flattens = {
            number
            for number, node in enumerate(graph.nodes)
            if node.op == "Reshape"
            and shapes[node.output] == (2, prod(shapes[node.inputs[0]][1:]))
            and shapes[node.inputs[0]][0] == 2
        }
        self._flat: dict[int, int] = {}  # numbers of a picture that a node has laid in a row
        self._last_use = {
            name: i for i, node in enumerate(graph.nodes) for name in (*node.inputs, *node.outputs)
        }

    def __deepcopy__(self, memo: dict[int, Any]) -> "GraphModule":
        """Layers and weights are copied; what never changes is shared."""
        for shared in (self._graph, self._given):
            memo[id(shared)] = shared
        made = self.__class__.__new__(self.__class__)
        memo[id(self)] = made
        made.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items()})
        return made

    def names(self) -> Mapping[str, str]:
        """Number of a layer -> the name of its node in the file."""
        return {number: self._graph.nodes[int(number)].name for number in self.layers}

    def forward(self, *inputs: Tensor) -> Tensor | list[Tensor]:
        """The outputs for these inputs, one tensor if there is one output."""
        results = self.run(inputs)
        return results[0] if len(results) == 1 else results

    def run(
        self, inputs: tuple[Tensor, ...], keep: Mapping[str, list[Tensor]] | None = None
    ) -> list[Tensor]:
        """keep: name of a tensor -> a list that its value is put into when it is computed."""
        keep, graph = keep or {}, self._graph
        known: dict[str, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
        for name in known.keys() & keep.keys():
            keep[name].append(known[name])
        wanted = set(graph.outputs)
        for number, node in enumerate(graph.nodes):
            made = self._computed(number, node, known)
            for name, value in zip(node.outputs, made, strict=True):
                known[name] = value
                if name in keep:
                    keep[name].append(value)
            for name in (*node.inputs, *node.outputs):
                if self._last_use[name] == number and name not in wanted:
                    known.pop(name, None)
        return [self._value(known, n) for n in graph.outputs]

    def _computed(self, number: int, node: Node, known: Mapping[str, Tensor]) -> list[Tensor]:
        given = self._given[number]
        if str(number) in self.layers:
            x, residual = known[node.inputs[0]], [known[n] for n in node.inputs[3:]]
            x = _bordered(given, x) if node.op == "Conv" else x
            y = self.layers[str(number)](x)
            return [finish(given, y, residual[0] if residual else None)]
        read = [self._value(known, name) for name in node.inputs if name]
        if number in self._flattens:  # whatever is left of the channels
            self._flat[number] = read[0].flatten(1).shape[1]
            return [read[0].flatten(1)]
        made = OPERATIONS[node.op](given, *read)
        return made if isinstance(made, list) else [made]

    def _value(self, known: Mapping[str, Tensor], name: str) -> Tensor:
        return known[name] if name in known else self.values[self._numbers[name]]

    @torch.no_grad()
    def graph(self) -> Graph:
        """The graph as it is now; a layer that became a sequence is a chain of nodes."""
        weights: dict[str, NDArray[Any]] = {
            name: _array(self.values[number]) for name, number in self._numbers.items()
        }
        nodes: list[Node] = []
        for number, node in enumerate(self._graph.nodes):
            if str(number) not in self.layers:
                flat = self._flat.get(number)
                nodes.append(node if flat is None else node.with_attributes(shape=(None, flat)))
                continue
            parts = [*_parts(self.layers[str(number)])]
            nodes.extend(_chain(node, self._given[number], parts, weights))
        return replace(self._graph, nodes=tuple(nodes), weights=weights)


def _layer(node: Node, given: Mapping[str, Any], graph: Graph) -> nn.Module:
    w, b = (graph.weights[name] for name in node.inputs[1:3])
    made: nn.Conv2d | nn.Linear
    if node.op == "Gemm":
        made = nn.Linear(w.shape[1], w.shape[0])
    else:
        made = nn.Conv2d(
            w.shape[1] * given["group"],
            w.shape[0],
            tuple(w.shape[2:]),
            tuple(given["strides"]),
            _own_padding(given),
            tuple(given["dilations"]),
            given["group"],
        )
    made.weight, made.bias = _parameter(w), _parameter(b)
    return made


def _own_padding(given: Mapping[str, Any]) -> tuple[int, int]:
    """What the convolution pads itself: the same on both sides, with zeros."""
    top, left, bottom, right = given["pads"]
    even = (top, left) == (bottom, right) and given["border"] == "zeros"
    return (top, left) if even else (0, 0)


def _bordered(given: Mapping[str, Any], x: Tensor) -> Tensor:
    """x with the padding that a convolution of PyTorch cannot do itself."""
    if _own_padding(given) != (0, 0):
        return x
    return padded(x, tuple(given["pads"]), given["border"])


def _parts(layer: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    for part in layer.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            yield part


def _chain(
    node: Node, given: Mapping[str, Any], parts: list[Any], weights: dict[str, NDArray[Any]]
) -> Iterator[Node]:
    """One node for each part; the last is bent and added to as the node was."""
    x, before = node.inputs[0], _asymmetric(given)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        ending = "" if len(parts) == 1 else f".part{number}"
        w, b = f"{node.inputs[1]}{ending}", f"{node.inputs[2]}{ending}"
        weights[w] = _array(part.weight)
        zeros = np.zeros(len(part.weight), np.float32)
        weights[b] = zeros if part.bias is None else _array(part.bias)
        settings = {} if isinstance(part, nn.Linear) else _settings(part, given, number, before)
        fused = {name: given[name] for name in ("activation", "activation_after_residual")}
        output = node.output if last else f"{node.output}{ending}"
        inputs = (x, w, b, *(node.inputs[3:] if last else ()))
        yield Node(
            node.op, f"{node.name}{ending}", inputs, (output,), settings | (fused if last else {})
        )
        x = output


def _settings(
    part: nn.Conv2d, given: Mapping[str, Any], number: int, before: tuple[int, ...] | None
) -> dict[str, Any]:
    top, left = (int(p) for p in part.padding)
    first_pads = number == 0 and before is not None
    return {
        "strides": tuple(part.stride),
        "pads": before if first_pads else (top, left, top, left),
        "dilations": tuple(part.dilation),
        "group": part.groups,
        "border": given["border"] if first_pads else "zeros",
    }


def _asymmetric(given: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The padding that stands before the first part, if PyTorch's convolution cannot do it."""
    if "pads" not in given or _own_padding(given) != (0, 0):
        return None
    return tuple(given["pads"])


def _parameter(array: NDArray[Any]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(array, np.float32)))


def _array(value: Tensor) -> NDArray[Any]:
    return value.detach().cpu().float().numpy().copy()
