"""Where a net is quantized: which operations run on integers, and which tensors become such."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from darter.net import Graph, Node

FILTERS = {"Conv": 0, "Gemm": 0, "MatMul": 1}  # operation -> axis of the filters in its weights
SUMS = ("Add", "Concat", "AveragePool", "GlobalAveragePool")
# What moves or selects numbers: both sides share their steps, so that integers pass as they are.
MOVES = (
    *("MaxPool", "GlobalMaxPool", "Reshape", "Flatten", "Transpose", "Slice", "Split", "Gather"),
    *("DepthToSpace", "Identity", "Squeeze", "Unsqueeze"),
)
BENDS = ("Relu", "Clip")  # done by the saturation of the integers that follow


@dataclass(frozen=True)
class Places:
    """products, sums: names of the nodes that run on integers.   shared: quantized tensor -> the
    tensor whose steps it has, often itself."""

    products: frozenset[str]
    sums: frozenset[str]
    shared: dict[str, str]

    @property
    def tensors(self) -> tuple[str, ...]:
        return tuple(self.shared)


def products_of(graph: Graph) -> tuple[Node, ...]:
    """The nodes that multiply by constant weights."""
    return tuple(node for node in graph.nodes if _is_product(graph, node))


def end_of(graph: Graph, node: Node) -> str:
    """What a node gives to others: its output, after an activation that only saturates."""
    after = graph.only_consumer(node.output)
    if after is not None and after.op in BENDS and after.inputs[0] == node.output:
        return after.output
    return node.output


def places(graph: Graph, keep: Collection[str] = ()) -> Places:
    """The places of a graph of ONNX's operations.   keep: names of nodes that stay in float.

    Products take integers. Sums, means and joins between products do so as well where what they
    read comes from integers, so that no float tensor lies between two layers.
    """
    products = {n.name for n in products_of(graph) if n.name not in keep}
    wanted = _wanted(graph, products, keep)
    tensors = {n.inputs[0]: None for n in graph.nodes if n.name in products}
    whole: set[str] = set()  # tensors that come from integers
    sums: set[str] = set()
    ties = _Ties()
    for node in graph.nodes:
        end = end_of(graph, node)
        if node.name in products:
            made = [end] if end in wanted else []
        elif node.op in SUMS and node.name not in keep and end in wanted:
            given = [*_computed(graph, node)]
            made = [end] if any(name in whole for name in given) else []
            if made:
                sums.add(node.name)
                tensors |= dict.fromkeys(given)
            if made and node.op == "Concat":
                ties.join([*given, end])
        elif node.op in MOVES and node.inputs[0] in whole:
            made = [name for name in node.outputs if name in wanted]
            ties.join([node.inputs[0], *made])
        else:
            made = []
        whole.update(made)
        tensors |= dict.fromkeys(made)
    return Places(frozenset(products), frozenset(sums), {name: ties.of(name) for name in tensors})


def _wanted(graph: Graph, products: Collection[str], keep: Collection[str]) -> set[str]:
    """Tensors that a product on integers reads, at once or after sums and moves."""
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        if node.name in products:
            wanted.add(node.inputs[0])
        elif node.op in SUMS and node.name not in keep and end_of(graph, node) in wanted:
            wanted.update(_computed(graph, node))
        elif node.op in MOVES and any(name in wanted for name in node.outputs):
            wanted.add(node.inputs[0])
    return wanted


def _is_product(graph: Graph, node: Node) -> bool:
    if node.op not in FILTERS or graph.weight(node.inputs[1]) is None:
        return False
    if len(node.inputs) > 2 and node.inputs[2] and graph.weight(node.inputs[2]) is None:
        return False
    if node.op == "Gemm":
        given = node.attributes
        plain = all(given.get(name, 1.0) == 1 for name in ("alpha", "beta"))
        return plain and bool(given.get("transB")) and not given.get("transA")
    return node.op == "Conv" or graph.weights[node.inputs[1]].ndim == 2


def _computed(graph: Graph, node: Node) -> Iterator[str]:
    """What a sum reads, if all of it is computed; nothing otherwise."""
    if all(name and graph.weight(name) is None for name in node.inputs):
        yield from node.inputs


class _Ties:
    """Groups of tensors that share their steps."""

    def __init__(self) -> None:
        self.above: dict[str, str] = {}

    def of(self, name: str) -> str:
        while name in self.above:
            name = self.above[name]
        return name

    def join(self, names: list[str]) -> None:
        first = self.of(names[0])
        for name in names[1:]:
            if self.of(name) != first:
                self.above[self.of(name)] = first
