"""Convolution by Winograd's minimal filtering. Source: Lavin & Gray, arXiv:1509.09308."""

from dataclasses import dataclass

from darter.conv.costs import (
    EPSILON,
    FMAS_PER_CYCLE,
    TILED_SUM,
    bfloat16_cost,
    bytes_of,
    refuses_steps,
    tiled_bytes,
    whole_blocks,
    with_weights,
)
from darter.conv.spec import ConvSpec
from darter.kernels import BLOCK

# Tiles by filter side: what the core has kernels for.
SQUARE_TILES = {3: (2, 4, 6), 5: (2, 4)}
LINE_TILES = {3: (4, 6), 7: (2,)}
# Of a transform, per position and block of channels, by outputs per side; fitted to layers.
TRANSFORM_CYCLES = {2: 6, 4: 8, 6: 9}
# Of winograd-4-on-the-fly, per channel and block of filters: by group of so many tiles, by tile;
# fitted likewise.
ON_THE_FLY_TILES = 4
ON_THE_FLY_CYCLES = (18.0, 19.5)
# Of rounding errors, by a tile's inputs per side; measured: docs/accuracy.md.
AMPLIFICATION = {4: 0.55, 6: 1.6, 8: 7.0}
# Of winograd-4-on-the-fly, whose filters are transformed in float32; measured likewise.
ON_THE_FLY_AMPLIFICATION = 1.65
ON_THE_FLY_SUM = 64  # channels: it adds up 32 at a time, and the sums of all others to them
# Of rounding 3x3 tiles and filters to bfloat16, by outputs per side; measured likewise.
BFLOAT16_ERROR = {2: 4.0e-3, 4: 1.13e-2}


@dataclass(frozen=True)
class Winograd:
    """F(tile, taps) on each axis that has taps: tile + taps - 1 products for tile outputs.

    precision: "bfloat16" transforms in float32, rounds what the products multiply to bfloat16 and
    keeps float32 sums.
    """

    tile: int
    precision: str = "float32"

    @property
    def core(self) -> str:
        return f"winograd-{self.tile}" + ("-bfloat16" if self.precision == "bfloat16" else "")

    def refuses(self, spec: ConvSpec) -> str | None:
        r, s = spec.w[2:]
        known = SQUARE_TILES.get(r) if r == s else LINE_TILES.get(max(r, s))
        if known is None or min(r, s) not in (1, max(r, s)):
            return f"needs 3x3, 5x5, 1x3, 3x1, 1x7 or 7x1 filters, got {r}x{s}"
        if self.tile not in known:
            tiles = " or ".join(map(str, known))
            return f"has no kernel F({self.tile}, {max(r, s)}) for {r}x{s} filters; tiles: {tiles}"
        if self.precision == "bfloat16" and (r, s) != (3, 3):
            return f"rounds to bfloat16 for 3x3 filters only, got {r}x{s}"
        if spec.groups > 1:
            return f"needs one group, got {spec.groups}"
        return refuses_steps(spec)

    def _sizes(self, spec: ConvSpec) -> tuple[int, int]:
        """Tiles of all images, positions of a tile."""
        tiles, positions = spec.x[0], 1
        for outputs, taps in zip(spec.out_hw, spec.w[2:], strict=True):
            if taps > 1:
                outputs, positions = -(-outputs // self.tile), positions * (self.tile + taps - 1)
            tiles *= outputs
        return tiles, positions

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        products = self.products(spec) / FMAS_PER_CYCLE
        if self.precision == "bfloat16":
            products *= bfloat16_cost()
        tiles, positions = self._sizes(spec)
        k, c = (-(-size // BLOCK) for size in spec.w[:2])
        transforms = TRANSFORM_CYCLES[self.tile] * tiles * positions * (c + k)
        calls = 60 * positions * -(-k // 2) * -(-c // 16) * -(-tiles // 14)  # of the product loop
        return with_weights((products + transforms + calls) / threads, self.weight_bytes(spec))

    def products(self, spec: ConvSpec) -> int:
        tiles, positions = self._sizes(spec)
        return tiles * positions * whole_blocks(spec.w[0]) * whole_blocks(spec.w[1])

    def weight_bytes(self, spec: ConvSpec) -> int:
        positions = self._sizes(spec)[1]
        return (
            bytes_of(self.precision) * positions * whole_blocks(spec.w[0]) * whole_blocks(spec.w[1])
        )

    def error(self, spec: ConvSpec) -> float:
        sides = 1 if 1 in spec.w[2:] else 2
        if self.precision == "bfloat16":
            return BFLOAT16_ERROR[self.tile]
        growth = AMPLIFICATION.get(self.tile + max(spec.w[2:]) - 1, 0.0)
        return growth ** (sides / 2) * EPSILON * (9 + min(spec.x[1], TILED_SUM)) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return tiled_bytes(spec, *self._sizes(spec), threads)

    def explain(self, spec: ConvSpec) -> str:
        tiles, positions = self._sizes(spec)
        k, c = spec.w[:2]
        name = f"F({self.tile}, {max(spec.w[2:])})"
        name += " in bfloat16" if self.precision == "bfloat16" else ""
        return f"{name}, {positions} products of {tiles}x{c} by {c}x{k}"


class OnTheFly(Winograd):
    """F(4, 3) that keeps filters as 9 numbers and transforms them as it multiplies.

    For pictures of few tiles: reading 36 numbers per filter would take longer than using them.
    """

    def __init__(self) -> None:
        super().__init__(4)

    @property
    def core(self) -> str:
        return "winograd-4-on-the-fly"

    def refuses(self, spec: ConvSpec) -> str | None:
        r, s = spec.w[2:]
        return super().refuses(spec) if (r, s) == (3, 3) else f"needs 3x3 filters, got {r}x{s}"

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        tiles, positions = self._sizes(spec)
        k, c = (-(-size // BLOCK) for size in spec.w[:2])
        by_group, by_tile = ON_THE_FLY_CYCLES
        groups = -(-tiles // ON_THE_FLY_TILES)
        multiplied = spec.w[1] * k * (by_group * groups + by_tile * tiles)
        transforms = TRANSFORM_CYCLES[self.tile] * tiles * positions * (c + k)
        return with_weights((multiplied + transforms) / threads, self.weight_bytes(spec))

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * 9 * spec.w[1] * whole_blocks(spec.w[0])

    def error(self, spec: ConvSpec) -> float:
        return ON_THE_FLY_AMPLIFICATION * EPSILON * (9 + min(spec.x[1], ON_THE_FLY_SUM)) ** 0.5

    def explain(self, spec: ConvSpec) -> str:
        return f"{super().explain(spec)}, filters transformed on the fly"
