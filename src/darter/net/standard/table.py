"""darter's operation -> ONNX's: one row for each of `ops.OPS`."""

from dataclasses import replace

from darter.errors import UnsupportedError
from darter.net.graph import Graph, Node, needed
from darter.net.ops import attributes
from darter.net.standard import binary, boxes, elementwise, integer, moves, normalize, windows
from darter.net.standard.draft import Draft, Writer

OPSET = 20  # the first in which one node says Gelu, and which ONNX Runtime 1.17 on can run

STANDARD: dict[str, Writer] = {
    "Conv": windows.conv,
    "Binarize": binary.binarize,
    "BinaryConv": binary.binary_conv,
    "BinaryConvBits": binary.binary_conv_bits,
    "Quantize": integer.quantize,
    "Dequantize": integer.dequantize,
    "IntegerConv": integer.integer_conv,
    "IntegerAdd": integer.integer_add,
    "IntegerScale": integer.integer_scale,
    "IntegerMaxPool": windows.max_pool,
    "IntegerConcat": integer.integer_concat,
    "IntegerReshape": moves.reshape,
    "Gemm": windows.gemm,
    "MaxPool": windows.max_pool,
    "AveragePool": windows.average_pool,
    "GlobalAveragePool": windows.global_average_pool,
    "GlobalMaxPool": windows.global_max_pool,
    "Eltwise": elementwise.eltwise,
    "Activation": elementwise.activation_node,
    "PRelu": elementwise.prelu,
    "Scale": normalize.scale,
    "Concat": moves.concat,
    "Split": moves.split,
    "Slice": moves.slice_,
    "Channels": moves.channels,
    "Take": moves.take,
    "Reshape": moves.reshape,
    "Transpose": moves.transpose,
    "Expand": moves.expand,
    "Pad": windows.pad,
    "Resize": windows.resize,
    "LRN": normalize.lrn,
    "LayerNorm": normalize.layer_norm,
    "ChannelNorm": normalize.channel_norm,
    "GroupNorm": normalize.group_norm,
    "DepthToSpace": moves.depth_to_space,
    "Where": elementwise.where,
    "Arg": elementwise.arg,
    "TopPlaces": boxes.top_places,
    "GatherAlong": boxes.gather_along,
    "KeepBoxes": boxes.keep_boxes,
    "AlignRegions": boxes.align_regions,
    "Recurrent": moves.recurrent,
    "Softmax": normalize.softmax,
    "Reduce": normalize.reduce,
    "MatMul": windows.matmul,
}


def standard(graph: Graph) -> Graph:
    """A graph of ONNX's operations, version `OPSET`, that computes what one of `ops.OPS` does.

    Tensors and weights keep their names. Each output is made by a node of its own; one that is
    given twice, or is an input or a weight, gets a name with ticks.
    Raises UnsupportedError for what ONNX has no operation for.
    """
    draft = Draft(graph)
    for source in graph.nodes:
        if source.op not in STANDARD:
            raise UnsupportedError(f"{source}: cannot be written as ONNX")
        STANDARD[source.op](draft, source, attributes(source.op, source.attributes))
    outputs: list[str] = []
    for name in graph.outputs:
        given = name
        if name in outputs or graph.producer(name) is None:
            given = draft.between(name)
            draft.nodes.append(Node("Identity", given, (name,), (given,)))
        outputs.append(given)
    nodes, weights = tuple(draft.nodes), draft.weights
    return needed(replace(graph, nodes=nodes, weights=weights, outputs=tuple(outputs), opset=OPSET))
