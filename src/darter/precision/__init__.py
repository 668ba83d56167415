"""Few bits in training: fixed point with stochastic rounding, bfloat16 weights, one bit.

fixed = FixedPoint.parse("fixed<2,14>")          # Gupta et al.: 2 integer bits, 14 fractional bits
fixed.round(array, seed=1)                       # numpy; E[Round(x)] = x
with rounded(fixed, fixed.wider(), seed=1): logits = model(images)   # and errors on the way back
"""

from darter.errors import MissingExtraError
from darter.extras import install_line

try:
    import torch  # noqa: F401
except ImportError as error:
    raise MissingExtraError(f"darter.precision needs PyTorch: {install_line('train')}") from error

from darter.precision.binary import (
    BinaryConv2d,
    BinaryLinear,
    RPReLU,
    RSign,
    frozen,
    is_binary,
    set_binary,
)
from darter.precision.fixed import FixedPoint
from darter.precision.optimizer import BYTES_PER_WEIGHT, RoundedAdamW, as_bfloat16, as_float32
from darter.precision.rounded import ROUNDED, round_, rounded, seed_of
from darter.precision.update import FixedUpdate

__all__ = [
    "BYTES_PER_WEIGHT",
    "ROUNDED",
    "BinaryConv2d",
    "BinaryLinear",
    "FixedPoint",
    "FixedUpdate",
    "RPReLU",
    "RSign",
    "RoundedAdamW",
    "as_bfloat16",
    "as_float32",
    "frozen",
    "is_binary",
    "round_",
    "rounded",
    "seed_of",
    "set_binary",
]
