"""Whole nets, slowly and plainly: one numpy function for each operation of `ops.OPS`.

The truth for passes (a graph computes the same before and after) and for the compiled plan.
Everything is float64 unless asked otherwise.
"""

import numpy as np

from darter.net.graph import Graph, Node
from darter.net.ops import attributes
from tests.references.arrays import (
    arg,
    channel_norm,
    depth_to_space,
    eltwise,
    expand,
    gather_along,
    group_norm,
    layer_norm,
    lrn,
    pad,
    recurrent,
    reduce,
    reshape,
    resize,
    scale,
    slice_,
    softmax,
    split,
    take,
    top_places,
)
from tests.references.boxes import align_regions, keep_boxes
from tests.references.windows import (
    activate,
    average_pool,
    binarize,
    binary_conv,
    binary_conv_bits,
    conv,
    dequantize,
    gemm,
    integer_add,
    integer_concat,
    integer_conv,
    integer_scale,
    max_pool,
    quantize,
)


def run_graph(graph: Graph, *inputs, dtype=np.float64, disturb=None) -> list[np.ndarray]:
    """The graph's outputs for arrays in the order of its inputs.

    disturb: takes each tensor that a node computes and gives what is read instead of it.
    """
    return [value.astype(dtype) for value in _all(graph, inputs, dtype, graph.outputs, disturb)]


def _all(graph: Graph, inputs, dtype, wanted, disturb=None) -> list[np.ndarray]:
    known = {name: array.astype(dtype) for name, array in graph.weights.items()}
    known |= dict(zip(graph.inputs, (np.asarray(x, dtype) for x in inputs), strict=True))
    for node in graph.nodes:
        results = run_node(node, [known[name] for name in node.inputs if name])
        if disturb is not None:
            results = [disturb(result) for result in results]
        known.update(zip(node.outputs, results, strict=True))
    return [known[name] for name in wanted]


def run_node(node: Node, inputs: list[np.ndarray]) -> list[np.ndarray]:
    given = attributes(node.op, node.attributes)
    with np.errstate(all="ignore"):
        result = FUNCTIONS[node.op](given, *inputs)
    return result if isinstance(result, list) else [result]


FUNCTIONS = {
    "Conv": conv,
    "Binarize": binarize,
    "BinaryConv": binary_conv,
    "BinaryConvBits": binary_conv_bits,
    "Quantize": quantize,
    "Dequantize": dequantize,
    "IntegerConv": integer_conv,
    "IntegerAdd": integer_add,
    "IntegerScale": integer_scale,
    "IntegerMaxPool": max_pool,
    "IntegerConcat": integer_concat,
    "IntegerReshape": reshape,
    "Gemm": gemm,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda given, x: x.mean((2, 3), keepdims=True),
    "GlobalMaxPool": lambda given, x: x.max((2, 3), keepdims=True),
    "Eltwise": eltwise,
    "Activation": lambda given, x: activate(given["activation"], x),
    "PRelu": lambda given, x, slope: np.where(x < 0, slope * x, x),
    "Scale": scale,
    "Concat": lambda given, *xs: np.concatenate(xs, axis=given["axis"]),
    "Channels": lambda given, *xs: np.stack([xs[i][:, c] for i, c in given["sources"]], axis=1),
    "Split": split,
    "Slice": slice_,
    "Take": take,
    "Reshape": reshape,
    "Transpose": lambda given, x: x.transpose(given["order"]),
    "Expand": expand,
    "Pad": pad,
    "Resize": resize,
    "LRN": lrn,
    "LayerNorm": layer_norm,
    "ChannelNorm": channel_norm,
    "GroupNorm": group_norm,
    "DepthToSpace": depth_to_space,
    "Where": lambda given, condition, a, b: np.where(condition != 0, a, b),
    "Arg": arg,
    "TopPlaces": top_places,
    "GatherAlong": gather_along,
    "KeepBoxes": keep_boxes,
    "AlignRegions": align_regions,
    "Recurrent": recurrent,
    "Softmax": softmax,
    "Reduce": reduce,
    "MatMul": lambda given, a, b: a @ b,
}
