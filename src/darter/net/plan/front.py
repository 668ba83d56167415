"""Where a batch is better run picture by picture: the beginning of a net.

Early tensors are large and early weights small, late ones the other way round. A node run picture
by picture reads its weights once per picture, but its tensors stay in the caches; run for the whole
batch, it reads its weights once, and its tensors go through memory.
"""

from collections.abc import Mapping
from math import prod

from darter.conv import ALGORITHMS
from darter.net.graph import Graph, Node
from darter.net.infer import infer
from darter.net.plan.algorithm import integer_weight_bytes, spec_of
from darter.net.plan.options import Options
from darter.net.plan.packed import Packed

Dims = tuple[int, ...]
INTEGERS = (  # what gives them
    *("Quantize", "IntegerConv", "IntegerAdd", "IntegerScale"),
    *("IntegerMaxPool", "IntegerConcat", "IntegerReshape"),
)
NORMALIZING = ("Softmax", "LayerNorm", "LRN")


def front(graph: Graph, batch: int, options: Options, packed: Packed) -> int:
    """How many of the first nodes to run picture by picture: as saves most bytes from memory."""
    if batch < 2 or options.memory_cap is not None:
        return 0
    one, all_ = infer(graph, 1), infer(graph, batch)
    best, best_saved, saved = 0, 0, 0
    carried, of_bytes = _Carried(graph, one), integers(graph)
    for number, node in enumerate(graph.nodes):
        if not all(_is_per_picture(name, one, all_, batch) for name in node.outputs if name):
            break
        if _mixes_pictures(node):
            break
        saved += _tensor_bytes(node, graph, one, of_bytes) - _weight_bytes(
            node, one, options, packed
        )
        carried.step(number, node)
        if not carried.of_other_ranks:
            net = saved - carried.bytes
            if net > best_saved:
                best, best_saved = number + 1, net
    return best


class _Carried:
    """What crosses a cut that moves forward node by node: tensors made before, wanted after it.

    bytes: of all of them.   of_other_ranks: how many cannot be handed over in blocks.
    """

    def __init__(self, graph: Graph, shapes: Mapping[str, Dims]) -> None:
        self.bytes = self.of_other_ranks = 0
        self._shapes = shapes
        self._last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
        self._last |= dict.fromkeys(graph.outputs, len(graph.nodes))
        self._open: set[str] = set()
        self._integers = integers(graph)

    def step(self, number: int, node: Node) -> None:
        """Move the cut from before this node to behind it."""
        for name in {*node.inputs} & self._open:
            if self._last[name] <= number:
                self._open.discard(name)
                self._count(name, -1)
        for name in node.outputs:
            if self._last.get(name, -1) > number:
                self._open.add(name)
                self._count(name, 1)

    def _count(self, name: str, sign: int) -> None:
        shape = self._shapes[name]
        self.bytes += sign * (1 if name in self._integers else 4) * prod(shape)
        self.of_other_ranks += sign * (len(shape) not in (2, 4))


def crossing(graph: Graph, cut: int) -> list[str]:
    """Tensors that the first nodes make and later ones, or the caller, want."""
    wanted = {name for node in graph.nodes[cut:] for name in node.inputs} | set(graph.outputs)
    return [name for node in graph.nodes[:cut] for name in node.outputs if name in wanted]


def _is_per_picture(
    name: str, one: Mapping[str, Dims], all_: Mapping[str, Dims], batch: int
) -> bool:
    return one[name][:1] == (1,) and all_[name] == (batch, *one[name][1:])


def _mixes_pictures(node: Node) -> bool:
    return node.op in NORMALIZING and node.attributes.get("axis") == 0


def integers(graph: Graph) -> frozenset[str]:
    """Tensors of one byte per number."""
    return frozenset(each.output for each in graph.nodes if each.op in INTEGERS)


def _tensor_bytes(
    node: Node, graph: Graph, shapes: Mapping[str, Dims], of_bytes: frozenset[str]
) -> int:
    names = [name for name in (*node.inputs, *node.outputs) if name and name not in graph.weights]
    return sum((1 if name in of_bytes else 4) * prod(shapes[name]) for name in names)


def _weight_bytes(node: Node, shapes: Mapping[str, Dims], options: Options, packed: Packed) -> int:
    if node.op == "Conv":
        spec = spec_of(node, shapes)
        return ALGORITHMS[packed.algorithm(spec, options)].weight_bytes(spec)
    if node.op == "IntegerConv":
        return integer_weight_bytes(node, shapes, 1)
    return 4 * prod(shapes[node.inputs[1]]) if node.op == "Gemm" else 0
