"""What a segment may hold: PyTorch's operations, as steps forward and backward.

Each function of `OPERATIONS` takes the `Writer` and a node, and raises Refused where it must. The
modules here put theirs into the table when they are imported.
"""

from darter.train.compiled.operations import (
    convolutions,
    elementwise,
    normalization,
    pools,
    rows,
)
from darter.train.compiled.operations.table import (
    CLAMPS,
    OPERATIONS,
    activation_of,
    argument,
    operation_name,
)

__all__ = [
    "CLAMPS",
    "OPERATIONS",
    "activation_of",
    "argument",
    "convolutions",
    "elementwise",
    "normalization",
    "operation_name",
    "pools",
    "rows",
]
