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
    refuses_steps,
    whole_blocks,
    with_weights,
)
from darter.conv.spec import ConvSpec
from darter.conv.winograd import AMPLIFICATION, TRANSFORM_CYCLES
from darter.kernels import BLOCK

PARTS = 8  # of a batch whose filter gradients are summed apart; see `gradient_parts`
MOST_PARTIAL_FLOATS = 1 << 17  # of such a sum: what its thread's cache keeps beside pictures
CHUNK = 512  # pixels or tiles that a product sums up at a time


@dataclass(frozen=True)
class Direct:
    """Products of blocks; any stride, padding, dilation and groups.   of: "input" or "filter"."""

    of: str

    @property
    def core(self) -> str:
        return "direct"

    def refuses(self, spec: ConvSpec) -> str | None:
        return None

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
        cycles = 1.1 * self.products(spec) / FMAS_PER_CYCLE / threads
        return with_weights(cycles, self.weight_bytes(spec))

    def error(self, spec: ConvSpec) -> float:
        return _sum_error(_depth(spec, self.of), self.of)

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * self._weights(spec)

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return threads * 400_000 if self.of == "input" and any(spec.padding) else 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.multiply_adds / 1e6:.0f} million multiply-adds"


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
    product per position, whose inner dimension is tiles."""

    of: str
    tile: int

    @property
    def core(self) -> str:
        return f"winograd-{self.tile}"

    def refuses(self, spec: ConvSpec) -> str | None:
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
        transforms = TRANSFORM_CYCLES[self.tile] * tiles * self._positions * (c + k)
        cycles = self.products(spec) / FMAS_PER_CYCLE + transforms
        calls = 40 * self._positions * k * c * -(-tiles // CHUNK)
        return with_weights((cycles + calls) / threads, 2 * self.weight_bytes(spec))

    def error(self, spec: ConvSpec) -> float:
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


GRADIENTS: dict[str, dict[str, Direct | Depthwise | Winograd]] = {
    "input": {
        "direct": Direct("input"),
        "depthwise": Depthwise("input"),
        "depthwise-rotated": DepthwiseRotated("input"),
        "winograd-2": Winograd("input", 2),
        "winograd-4": Winograd("input", 4),
        "winograd-6": Winograd("input", 6),
    },
    "filter": {
        "direct": Direct("filter"),
        "depthwise": Depthwise("filter"),
        "winograd-2": Winograd("filter", 2),
        "winograd-4": Winograd("filter", 4),
        "winograd-6": Winograd("filter", 6),
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


def _refuses_rotation(spec: ConvSpec) -> str | None:
    """What the convolution with rotated filters needs."""
    if spec.stride != (1, 1):
        return f"needs stride 1, got {spec.stride}"
    reach = [d * (taps - 1) for d, taps in zip(spec.dilation, spec.w[2:], strict=True)] * 2
    if any(pad > most for pad, most in zip(spec.padding, reach, strict=True)):
        return f"needs at most {tuple(reach)} of padding, got {spec.padding}"
    return None
