"""How each operation of `darter.net.ops.OPS` becomes steps: one visible table."""

from collections.abc import Callable

from darter.net.graph import Node
from darter.net.plan.builder import Builder
from darter.net.plan.emit import binary, choose, eltwise, moves, normalize, products, windows

EMIT: dict[str, Callable[[Builder, Node], None]] = {
    "Conv": products.conv,
    "Binarize": binary.binarize,
    "BinaryConv": binary.binary_conv,
    "BinaryConvBits": binary.binary_conv_bits,
    "Gemm": products.gemm,
    "MatMul": products.matmul,
    "MaxPool": windows.pool,
    "AveragePool": windows.pool,
    "GlobalAveragePool": windows.global_pool,
    "GlobalMaxPool": windows.global_pool,
    "Pad": windows.pad,
    "Resize": windows.resize,
    "Eltwise": eltwise.eltwise,
    "Activation": eltwise.activation,
    "PRelu": eltwise.prelu,
    "Scale": eltwise.scale,
    "Reshape": moves.reshape,
    "Transpose": moves.transpose,
    "Concat": moves.concat,
    "Split": moves.split,
    "Slice": moves.slice_,
    "Channels": moves.channels,
    "Take": moves.take,
    "Expand": moves.expand,
    "LRN": normalize.lrn,
    "LayerNorm": normalize.layer_norm,
    "ChannelNorm": normalize.channel_norm,
    "GroupNorm": normalize.group_norm,
    "Softmax": normalize.softmax,
    "DepthToSpace": moves.depth_to_space,
    "Where": choose.where,
    "Arg": choose.arg,
    "TopPlaces": choose.top_places,
    "GatherAlong": choose.gather_along,
    "KeepBoxes": choose.keep_boxes,
    "AlignRegions": choose.align_regions,
    "Recurrent": products.recurrent,
    "Reduce": normalize.reduce,
}
