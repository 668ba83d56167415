"""A fixed-point format ⟨IL, FL⟩ as Gupta et al. write it (arXiv:1502.02551)."""

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.kernels import MOST_BITS, ROUNDINGS, Floats, round_fixed

_LAYER_OUTPUTS = 6  # integer bits of what layers put out, in the paper's convolutional nets


@dataclass(frozen=True)
class FixedPoint:
    """Multiples of ε = 2⁻ᶠᴸ from -2ᴵᴸ⁻¹ to 2ᴵᴸ⁻¹ - ε.

    FixedPoint(2, 14), FixedPoint(2, 8, "nearest"), FixedPoint.parse("fixed<2,14>").

    il: integer bits, the sign among them.   fl: fractional bits.   At most 24 bits in all.
    rounding: "stochastic", up with probability (x - ⌊x⌋) / ε, or "nearest".
    """

    il: int
    fl: int
    rounding: str = "stochastic"

    def __post_init__(self) -> None:
        if self.il < 1 or self.fl < 0 or self.il + self.fl > MOST_BITS:
            raise OptionError(
                f"fixed<{self.il},{self.fl}>: expected 1 integer bit (the sign) or more and 0 "
                f"fractional bits or more, together at most {MOST_BITS}"
            )
        if self.rounding not in ROUNDINGS:
            raise OptionError(f"rounding is {' or '.join(ROUNDINGS)}, got {self.rounding!r}")

    @classmethod
    def parse(cls, text: str) -> "FixedPoint":
        """Of "fixed<2,14>" or "fixed<2,14,nearest>". Raises OptionError for anything else."""
        found = re.fullmatch(r"fixed<\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?:,\s*(\w+)\s*)?>", text)
        if not found:
            raise OptionError(
                f"{text!r} is no fixed-point format; expected fixed<IL,FL>, such as fixed<2,14>, "
                "or fixed<IL,FL,nearest>"
            )
        il, fl, rounding = found.groups()
        return cls(int(il), int(fl), rounding or "stochastic")

    def __str__(self) -> str:
        rounding = "" if self.rounding == "stochastic" else f",{self.rounding}"
        return f"fixed<{self.il},{self.fl}{rounding}>"

    @property
    def epsilon(self) -> float:
        return 2.0**-self.fl

    @property
    def low(self) -> float:
        return -(2.0 ** (self.il - 1))

    @property
    def high(self) -> float:
        return -self.low - self.epsilon

    def wider(self) -> "FixedPoint":
        """As many bits for what layers put out: at least 6 of them integer, as in the paper."""
        il = max(self.il, min(_LAYER_OUTPUTS, self.il + self.fl))
        return replace(self, il=il, fl=self.il + self.fl - il)

    def round(self, x: Floats, *, seed: int = 0, stream: int = 0) -> NDArray[np.float32]:
        """x in this format, as float32; see `darter.kernels.round_fixed`."""
        bits = self.il, self.fl
        return round_fixed(x, *bits, rounding=self.rounding, seed=seed, stream=stream)
