"""Direct convolution."""

from dataclasses import dataclass

from darter.conv.costs import (
    EPSILON,
    FMAS_PER_CYCLE,
    bfloat16_cost,
    bytes_of,
    depth,
    multiplies_bfloat16,
    pairs_cost,
    whole_blocks,
    with_weights,
)
from darter.conv.spec import ConvSpec
from darter.kernels import BLOCK

ROUNDING_CYCLES = 0.3  # per number of a picture
PAIRING_CYCLES = 0.75  # where few channels are laid side by side
PAIRED_STRIDES = (3, 6, 12)  # numbers between output pixels, channels side by side


@dataclass(frozen=True)
class Direct:
    """One implicit matrix product; any stride, dilation and groups.

    precision: "bfloat16" rounds x and w to bfloat16 and keeps float32 sums; twice as fast where
    the CPU multiplies bfloat16, the same numbers where it does not.
    """

    precision: str = "float32"

    @property
    def core(self) -> str:
        return "direct" if self.precision == "float32" else "direct-bfloat16"

    def refuses(self, spec: ConvSpec) -> str | None:
        return None

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        cycles = self.arithmetic(spec)
        if self.precision == "bfloat16":
            n, c, h, w = spec.x
            few = self._in_pairs(spec)
            copied = PAIRING_CYCLES * c if few else ROUNDING_CYCLES * whole_blocks(c)
            cycles += copied * n * h * w
        return with_weights(cycles / threads, self.weight_bytes(spec))

    def arithmetic(self, spec: ConvSpec) -> float:
        """Cycles of one thread, for pictures that are laid out as the products take them."""
        cycles = 1.05 * self.products(spec) / FMAS_PER_CYCLE
        if self.precision == "float32":
            return cycles
        return cycles * (pairs_cost() if self._in_pairs(spec) else bfloat16_cost())

    def products(self, spec: ConvSpec) -> int:
        n, _, h, w = spec.y
        return n * h * w * self._weights(spec)

    def _in_pairs(self, spec: ConvSpec) -> bool:
        """Whether pixels of a few channels are laid side by side."""
        known = spec.x[1] <= 4 and spec.x[1] * spec.stride[1] in PAIRED_STRIDES
        plain = spec.groups == 1 and spec.dilation[1] == 1
        return self.precision == "bfloat16" and multiplies_bfloat16() and known and plain

    def _weights(self, spec: ConvSpec) -> int:
        """Of the packed filters: two blocks of them share the channels that either sees."""
        filters, channels, r, s = spec.w
        if self._in_pairs(spec):
            return whole_blocks(filters) * r * 2 * -(-s * channels // 2)
        if spec.groups > 1:
            per_group = filters // spec.groups
            channels = min(spec.x[1], -(-2 * BLOCK // per_group) * channels)
        if spec.x[1] > 8 or self.precision == "bfloat16":
            channels = whole_blocks(channels)
        return whole_blocks(filters) * channels * r * s

    def weight_bytes(self, spec: ConvSpec) -> int:
        return bytes_of(self.precision) * self._weights(spec)

    def error(self, spec: ConvSpec) -> float:
        rounding = 2.4e-3 if self.precision == "bfloat16" else 0.0
        return rounding + 0.3 * EPSILON * depth(spec) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        copied = any(spec.padding) or self.precision != "float32"
        return threads * 400_000 if copied else 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.multiply_adds / 1e6:.0f} million multiply-adds"
