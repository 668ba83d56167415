"""Operations on constants, worked out when the file is read: mostly arithmetic on shapes.

`FOLDS` maps ONNX's names to functions of (inputs, node, opset); absent inputs are None. Results
are checked to be small before they are made: a damaged file must not fill the memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, ShapeError
from darter.net.graph import Node
from darter.net.translate.folds.arithmetic import ARITHMETIC
from darter.net.translate.folds.inputs import Fold, Inputs
from darter.net.translate.folds.places import PLACES
from darter.net.translate.folds.products import PRODUCTS
from darter.net.translate.folds.quantized import QUANTIZED

FOLDS: dict[str, Fold] = {**QUANTIZED, **ARITHMETIC, **PRODUCTS, **PLACES}


def fold(node: Node, inputs: Inputs, opset: int) -> list[NDArray[Any]]:
    """The outputs of a node whose inputs are all constants.

    Raises ModelFileError if values do not fit together, ShapeError if a result would be huge.
    """
    try:
        with np.errstate(all="ignore"):
            result = FOLDS[node.op](inputs, node, opset)
    except ModelFileError as error:
        raise ModelFileError(f"{node}: {error}") from None
    except (ArithmeticError, AttributeError, IndexError, LookupError, TypeError, ValueError) as e:
        if isinstance(e, ShapeError):
            raise ShapeError(f"{node}: {e}") from None
        raise ModelFileError(f"{node}: its constants do not fit: {e}") from e
    return list(result) if isinstance(result, list) else [np.asarray(result)]
