"""The ways to compute the two gradients of a convolution, in one dict that everything reads.

They answer the questions of `darter.conv.algorithms.Algorithm` about the shape of the forward
layer: `products` are those of the gradient, `error` is relative to the root mean square of the
gradient for independent x (or w) and dy.
"""

from dataclasses import dataclass

from darter.conv.costs import (
    EPSILON,
    FMAS_PER_CYCLE,
    TILED_SUM,
    bfloat16_cost,
    bytes_of,
    multiplies_bfloat16,
    refuses_steps,
    whole_blocks,
    with_weights,
)
from darter.conv.spec import ConvSpec
from darter.conv.winograd import AMPLIFICATION, BFLOAT16_ERROR, TRANSFORM_CYCLES
from darter.kernels import BLOCK

PARTS = 8  # of a batch whose filter gradients are summed apart; see `gradient_parts`
MOST_PARTIAL_FLOATS = 1 << 17  # of such a sum: what its thread's cache keeps beside pictures
CHUNK = 512  # pixels or tiles that a product sums up at a time
ROUNDING_ERROR = 2.4e-3  # of products of two numbers that are rounded to bfloat16
ROUNDING_CYCLES = 0.1  # per number that becomes bfloat16
PAIRING_CYCLES = 1.5  # per vector of a transformed tile
MOST_PICTURE_CHANNELS = 4


@dataclass(frozen=True)
class Direct:
    """Products of blocks; any stride, padding, dilation and groups.   of: "input" or "filter".

    precision: "bfloat16" rounds both operands to bfloat16 and keeps float32 sums.
    """

    of: str
    precision: str = "float32"

    @property
    def core(self) -> str:
        return "direct" if self.precision == "float32" else "direct-bfloat16"

    def refuses(self, spec: ConvSpec) -> str | None:
        return _refuses_precision(self.precision)

    def products(self, spec: ConvSpec) -> int:
        n, _, h, w = spec.y
        return n * h * w * self._weights(spec)

    def _weights(self, spec: ConvSpec) -> int:
        """Products per output pixel: blocks see whole blocks, also of other groups."""
        filters, channels, r, s = spec.w
        if spec.groups > 1:
            seen = -(-2 * BLOCK // (filters // spec.groups)) * channels
            channels = min(spec.x[1], seen)
        if self.of == "input":
            channels = whole_blocks(channels)
        return whole_blocks(filters) * channels * r * s

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        cycles = 1.1 * self.products(spec) / FMAS_PER_CYCLE
        if self.precision == "bfloat16":
            cycles = cycles * bfloat16_cost() + ROUNDING_CYCLES * self._rounded(spec)
        return with_weights(cycles / threads, self.weight_bytes(spec))

    def _rounded(self, spec: ConvSpec) -> int:
        """Numbers of pictures that become bfloat16; those that filters see, once for each tap."""
        n, k, h, w = spec.y
        found = n * whole_blocks(k) * h * w
        if self.of == "input":
            return found
        return found + n * whole_blocks(spec.x[1]) * h * w * spec.w[2] * spec.w[3]

    def error(self, spec: ConvSpec) -> float:
        rounding = ROUNDING_ERROR if self.precision == "bfloat16" else 0.0
        return rounding + _sum_error(_depth(spec, self.of), self.of)

    def weight_bytes(self, spec: ConvSpec) -> int:
        return bytes_of(self.precision) * self._weights(spec)

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        copied = any(spec.padding) if self.of == "input" else False
        return threads * 400_000 if copied or self.precision != "float32" else 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.multiply_adds / 1e6:.0f} million multiply-adds"


@dataclass(frozen=True)
class FewChannels:
    """The filter gradient of pictures: all taps of a filter's row are summed together, as channels
    are.

    precision: as of `Direct`.
    """

    precision: str = "float32"

    @property
    def core(self) -> str:
        return "few-channels" if self.precision == "float32" else "few-channels-bfloat16"

    def refuses(self, spec: ConvSpec) -> str | None:
        if spec.x[1] > MOST_PICTURE_CHANNELS:
            return f"needs at most {MOST_PICTURE_CHANNELS} channels, got {spec.x[1]}"
        if spec.groups > 1 or spec.dilation[1] > 1:
            return f"needs one group and taps side by side, got {spec}"
        return _refuses_precision(self.precision)

    def products(self, spec: ConvSpec) -> int:
        n, k, h, w = spec.y
        return n * h * w * whole_blocks(k) * spec.w[1] * spec.w[2] * spec.w[3]

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        cycles = self.products(spec) / FMAS_PER_CYCLE
        if self.precision == "bfloat16":
            n, k, h, w = spec.y
            cycles = cycles * bfloat16_cost() + ROUNDING_CYCLES * n * h * w * whole_blocks(k)
        return cycles / threads

    def error(self, spec: ConvSpec) -> float:
        rounding = ROUNDING_ERROR if self.precision == "bfloat16" else 0.0
        return rounding + _sum_error(_depth(spec, "filter"), "filter")

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * whole_blocks(spec.w[0]) * spec.w[1] * spec.w[2] * spec.w[3]

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return threads * 400_000

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.w[2]} products of {spec.w[3] * spec.w[1]} numbers side by side"


@dataclass(frozen=True)
class Depthwise:
    """One filter per channel, a vector of 16 channels at a time."""

    of: str

    @property
    def core(self) -> str:
        return "depthwise"

    def refuses(self, spec: ConvSpec) -> str | None:
        if spec.depthwise:
            return None
        return f"needs as many groups as channels and filters, got {spec.groups} groups"

    def products(self, spec: ConvSpec) -> int:
        n, k, h, w = spec.y
        return n * whole_blocks(k) * h * w * spec.w[2] * spec.w[3]

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        return 3 * self.products(spec) / FMAS_PER_CYCLE / threads

    def error(self, spec: ConvSpec) -> float:
        return _sum_error(_depth(spec, self.of), self.of)

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * whole_blocks(spec.w[0]) * spec.w[2] * spec.w[3]

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.x[1]} channels, {spec.w[2]}x{spec.w[3]} multiply-adds per output"


@dataclass(frozen=True)
class DepthwiseRotated(Depthwise):
    """At stride 1: the depthwise convolution of dy with filters turned by half a circle."""

    @property
    def core(self) -> str:
        return "depthwise-rotated"

    def refuses(self, spec: ConvSpec) -> str | None:
        return super().refuses(spec) or _refuses_rotation(spec)

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        return 2 * self.products(spec) / FMAS_PER_CYCLE / threads


@dataclass(frozen=True)
class Winograd:
    """F(tile, 3) for 3x3 filters: input gradients by rotated filters, filter gradients by one
    product per position, whose inner dimension is tiles.

    precision: "bfloat16" transforms in float32 and rounds what the products multiply.
    """

    of: str
    tile: int
    precision: str = "float32"

    @property
    def core(self) -> str:
        return f"winograd-{self.tile}" + ("-bfloat16" if self.precision == "bfloat16" else "")

    def refuses(self, spec: ConvSpec) -> str | None:
        why = _refuses_precision(self.precision)
        if why is not None:
            return why
        r, s = spec.w[2:]
        if (r, s) != (3, 3):
            return f"needs 3x3 filters, got {r}x{s}"
        if spec.groups > 1:
            return f"needs one group, got {spec.groups}"
        refused = refuses_steps(spec)
        return refused or (_refuses_rotation(spec) if self.of == "input" else None)

    def _tiles(self, spec: ConvSpec) -> int:
        n, (h, w) = spec.x[0], spec.x[2:] if self.of == "input" else spec.out_hw
        return n * -(-h // self.tile) * -(-w // self.tile)

    @property
    def _positions(self) -> int:
        return (self.tile + 2) ** 2

    def products(self, spec: ConvSpec) -> int:
        k, c = spec.w[:2]
        return self._tiles(spec) * self._positions * whole_blocks(k) * whole_blocks(c)

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        tiles, k, c = self._tiles(spec), *(-(-size // BLOCK) for size in spec.w[:2])
        vectors = tiles * self._positions * (c + k)
        transforms: float = TRANSFORM_CYCLES[self.tile] * vectors
        cycles = self.products(spec) / FMAS_PER_CYCLE
        if self.precision == "bfloat16":
            cycles *= bfloat16_cost()
            if self.of == "filter":
                transforms += PAIRING_CYCLES * vectors
        cycles += transforms
        calls = 40 * self._positions * k * c * -(-tiles // CHUNK)
        return with_weights((cycles + calls) / threads, 2 * self.weight_bytes(spec))

    def error(self, spec: ConvSpec) -> float:
        if self.precision == "bfloat16":
            return BFLOAT16_ERROR[self.tile]
        growth = AMPLIFICATION[self.tile + 2]
        summed = spec.w[0] if self.of == "input" else CHUNK
        return growth * EPSILON * (9 + min(summed, TILED_SUM)) ** 0.5

    def weight_bytes(self, spec: ConvSpec) -> int:
        k, c = spec.w[:2]
        return 4 * self._positions * whole_blocks(k) * whole_blocks(c)

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        k, c = spec.w[:2]
        both = 4 * self._positions * (whole_blocks(k) + whole_blocks(c)) * self._tiles(spec)
        return min(20 << 20, both)

    def explain(self, spec: ConvSpec) -> str:
        k, c = spec.w[:2]
        tiles = self._tiles(spec)
        sizes = f"{tiles}x{k} by {k}x{c}" if self.of == "input" else f"{c}x{tiles} by {tiles}x{k}"
        return f"F({self.tile}, 3), {self._positions} products of {sizes}"


GRADIENTS: dict[str, dict[str, Direct | Depthwise | Winograd | FewChannels]] = {
    "input": {
        "direct": Direct("input"),
        "depthwise": Depthwise("input"),
        "depthwise-rotated": DepthwiseRotated("input"),
        "winograd-2": Winograd("input", 2),
        "winograd-4": Winograd("input", 4),
        "winograd-6": Winograd("input", 6),
        "direct-bfloat16": Direct("input", "bfloat16"),
        "winograd-2-bfloat16": Winograd("input", 2, "bfloat16"),
    },
    "filter": {
        "direct": Direct("filter"),
        "depthwise": Depthwise("filter"),
        "winograd-2": Winograd("filter", 2),
        "winograd-4": Winograd("filter", 4),
        "winograd-6": Winograd("filter", 6),
        "direct-bfloat16": Direct("filter", "bfloat16"),
        "winograd-2-bfloat16": Winograd("filter", 2, "bfloat16"),
        "winograd-4-bfloat16": Winograd("filter", 4, "bfloat16"),
        "few-channels": FewChannels(),
        "few-channels-bfloat16": FewChannels("bfloat16"),
    },
}


def gradient_parts(spec: ConvSpec, sum_floats: int) -> int:
    """Of the batch, whose filter gradients different threads sum.

    Depends on the shape alone, so that the number of threads changes no bit.
    """
    return min(spec.x[0], PARTS) if sum_floats <= MOST_PARTIAL_FLOATS else 1


def _depth(spec: ConvSpec, of: str) -> int:
    """Products per number of the gradient."""
    if of == "input":
        return spec.w[0] // spec.groups * spec.w[2] * spec.w[3]
    n, _, h, w = spec.y
    return max(1, n * h * w)


def _sum_error(depth: int, of: str) -> float:
    """Long sums over pixels are cut into chunks, whose sums are added up one by one."""
    if of == "filter":
        depth = min(depth, CHUNK) + depth // CHUNK
    return 0.3 * EPSILON * depth**0.5


def _refuses_precision(precision: str) -> str | None:
    if precision == "float32" or multiplies_bfloat16():
        return None
    return "needs a CPU that multiplies bfloat16"


def _refuses_rotation(spec: ConvSpec) -> str | None:
    """What the convolution with rotated filters needs."""
    if spec.stride != (1, 1):
        return f"needs stride 1, got {spec.stride}"
    reach = [d * (taps - 1) for d, taps in zip(spec.dilation, spec.w[2:], strict=True)] * 2
    if any(pad > most for pad, most in zip(spec.padding, reach, strict=True)):
        return f"needs at most {tuple(reach)} of padding, got {spec.padding}"
    return None
