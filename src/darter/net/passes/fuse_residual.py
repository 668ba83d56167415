"""A sum with a product's result becomes part of the product: residual connections."""

from dataclasses import replace

from darter.net.graph import Graph, Node
from darter.net.infer import infer

PRODUCTS = ("Conv", "Gemm")


def fuse_residual(graph: Graph) -> Graph:
    """Conv and Eltwise add (with its activation) become Conv with `residual`.

    Of two products that are added the later one takes the sum, as the other is ready by then.
    """
    shapes = infer(graph, 1)
    place = {node: number for number, node in enumerate(graph.nodes)}
    replaced: dict[Node, list[Node]] = {}
    for total in graph.nodes:
        if total.op != "Eltwise" or total.attributes["function"] != "add":
            continue
        left, right = total.inputs
        if left == right or shapes[left] != shapes[right]:
            continue
        if left in graph.weights or right in graph.weights:
            continue
        makers = (graph.producer(left), graph.producer(right))
        able = [maker for maker in makers if maker is not None and _takes(graph, maker, total)]
        if able:
            product = max(able, key=place.__getitem__)
            other = right if makers[0] is product else left
            replaced[product] = []
            replaced[total] = [_sum(product, total, other)]
    return graph.changed(replaced)


def _takes(graph: Graph, product: Node, total: Node) -> bool:
    """One activation at most, before the sum or after it, and no second sum."""
    return (
        product.op in PRODUCTS
        and len(product.inputs) == 3
        and graph.only_consumer(product.output) is total
        and (product.attributes.get("activation"), total.attributes.get("activation")).count(None)
        >= 1
    )


def _sum(product: Node, total: Node, other: str) -> Node:
    inside = product.attributes.get("activation")
    return replace(
        product.with_attributes(
            activation=total.attributes.get("activation") if inside is None else inside,
            activation_after_residual=inside is None,
        ),
        inputs=(*product.inputs, other),
        outputs=total.outputs,
    )
