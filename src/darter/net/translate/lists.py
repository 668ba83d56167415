"""Lists of axes, sizes and places are short; one of millions is a weight, or an attack."""

from darter.errors import ModelFileError
from darter.net.graph import Node
from darter.net.translate.context import Translation

MOST_LISTED = 64  # axes, or sizes of axes; there are 8 at most
LIMIT = f"darter's limit is {MOST_LISTED}"
FREE = ("Constant", "Split")  # as many parts as outputs
PLACE_BYTES = 64  # of a place that is kept as a number of Python's
FIRST_LIST = {
    "ConstantOfShape": 0,
    **dict.fromkeys(("Reshape", "Expand", "Tile", "Slice", "Squeeze", "Unsqueeze"), 1),
    **dict.fromkeys(("Pad", "Resize", "Upsample"), 1),
    **dict.fromkeys((f"Reduce{kind}" for kind in ("Mean", "Sum", "Max", "Min", "Prod")), 1),
    **dict.fromkeys((f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp")), 1),
    "ReduceSumSquare": 1,
}


def check_lists(net: Translation, source: Node) -> None:
    """Raise ModelFileError if an input that lists axes, sizes or places is absurdly long."""
    for name, value in source.attributes.items():
        if isinstance(value, tuple) and len(value) > MOST_LISTED and source.op not in FREE:
            raise ModelFileError(f"{source}: {name[:60]} lists {len(value):,} numbers; {LIMIT}")
    first = FIRST_LIST.get(source.op)
    if first is not None:
        for name in source.inputs[first:]:
            size = max(value.size for value in net.values[name]) if name in net.values else 0
            if size > MOST_LISTED:
                raise ModelFileError(f"{source}: {name[:60]!r} lists {size:,} numbers; {LIMIT}")
    elif source.op == "Gather":
        known = [net.values.get(name) for name in source.inputs[:2]]
        if known[0] is None and known[1:] and known[1] is not None:
            net.budget.make(PLACE_BYTES * known[1][0].size, str(source))
