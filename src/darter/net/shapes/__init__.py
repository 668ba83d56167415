"""The shape of what each operation gives, for shapes it takes.

Each rule takes a node's attributes (defaults filled in) and its inputs' shapes, and returns its
outputs' shapes. Sizes are Python integers, so nothing can overflow; a rule raises ShapeError, and
whoever calls it (`infer.py`) adds which node it was.
"""

from darter.net.shapes.checks import (
    LARGEST_SIDE,
    Attributes,
    Dims,
    broadcast,
    check_axis,
    image,
    window,
)
from darter.net.shapes.elementwise import (
    arg,
    eltwise,
    group_norm,
    integer_add,
    reduce,
    rows_or_picture,
    same,
    scale,
    top_places,
)
from darter.net.shapes.moves import (
    channels,
    concat,
    expand,
    gather_along,
    integer_concat,
    pad,
    reshape,
    slice_,
    split,
    take,
    transpose,
)
from darter.net.shapes.products import gemm, matmul, recurrent
from darter.net.shapes.windows import (
    align_regions,
    binarize,
    binary_conv,
    conv,
    depth_to_space,
    global_pool,
    integer_conv,
    keep_boxes,
    pool,
    resize,
)

__all__ = [
    "LARGEST_SIDE",
    "Attributes",
    "Dims",
    "align_regions",
    "arg",
    "binarize",
    "binary_conv",
    "broadcast",
    "channels",
    "check_axis",
    "concat",
    "conv",
    "depth_to_space",
    "eltwise",
    "expand",
    "gather_along",
    "gemm",
    "global_pool",
    "group_norm",
    "image",
    "integer_add",
    "integer_concat",
    "integer_conv",
    "keep_boxes",
    "matmul",
    "pad",
    "pool",
    "recurrent",
    "reduce",
    "reshape",
    "resize",
    "rows_or_picture",
    "same",
    "scale",
    "slice_",
    "split",
    "take",
    "top_places",
    "transpose",
    "window",
]
