"""The ways to compute a convolution, in one dict that everything reads.

The chooser, the tuner, the tests, the benchmark and the command line all take `ALGORITHMS`. An
algorithm is a frozen value:

refuses          why a shape is not for it
products         multiply-adds of its products; transforms come on top
estimate         what it would cost, in cycles
error            how far it strays: root mean square, relative to that of the outputs, for
                 independent inputs
weight_bytes     what its packed filters take
workspace_bytes  what it needs beside its arguments while it runs
explain          what it does
"""

from dataclasses import dataclass
from typing import Protocol

from darter.conv.spec import ConvSpec
from darter.kernels import BLOCK, active_isa, has_avx512_bf16

EPSILON = 2.0**-24  # half of float32's spacing at 1
FMAS_PER_CYCLE = 32  # multiply-adds of one core: two AVX-512 units; ratios matter, not the unit
BYTES_PER_CYCLE = 11  # from memory, all cores together


class Algorithm(Protocol):
    @property
    def core(self) -> str:
        """What the compiled core calls it."""

    def refuses(self, spec: ConvSpec) -> str | None: ...
    def products(self, spec: ConvSpec) -> int: ...
    def estimate(self, spec: ConvSpec, threads: int) -> float: ...
    def error(self, spec: ConvSpec) -> float: ...
    def weight_bytes(self, spec: ConvSpec) -> int: ...
    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int: ...
    def explain(self, spec: ConvSpec) -> str: ...


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
        cycles = 1.05 * self.products(spec) / FMAS_PER_CYCLE / threads
        if self.precision == "bfloat16":
            cycles *= _bfloat16_cost()
        return _with_weights(cycles, self.weight_bytes(spec))

    def products(self, spec: ConvSpec) -> int:
        n, _, h, w = spec.y
        return n * h * w * self._weights(spec)

    def _weights(self, spec: ConvSpec) -> int:
        """Of the packed filters: two blocks of them share the channels that either sees."""
        filters, channels, r, s = spec.w
        if spec.groups > 1:
            per_group = filters // spec.groups
            channels = min(spec.x[1], -(-2 * BLOCK // per_group) * channels)
        if spec.x[1] > 8 or self.precision == "bfloat16":
            channels = _round(channels)
        return _round(filters) * channels * r * s

    def weight_bytes(self, spec: ConvSpec) -> int:
        return _bytes_of(self.precision) * self._weights(spec)

    def error(self, spec: ConvSpec) -> float:
        rounding = 2.4e-3 if self.precision == "bfloat16" else 0.0
        return rounding + 0.3 * EPSILON * _depth(spec) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        copied = any(spec.padding) or self.precision != "float32"
        return threads * 400_000 if copied else 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.multiply_adds / 1e6:.0f} million multiply-adds"


@dataclass(frozen=True)
class Depthwise:
    """One filter per channel, a vector of 16 channels at a time."""

    core: str = "depthwise"

    def refuses(self, spec: ConvSpec) -> str | None:
        if spec.depthwise:
            return None
        return f"needs as many groups as channels and filters, got {spec.groups} groups"

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        return 2 * self.products(spec) / FMAS_PER_CYCLE / threads

    def products(self, spec: ConvSpec) -> int:
        n, k, h, w = spec.y
        return n * _round(k) * h * w * spec.w[2] * spec.w[3]

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * _round(spec.w[0]) * spec.w[2] * spec.w[3]

    def error(self, spec: ConvSpec) -> float:
        return 0.3 * EPSILON * _depth(spec) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.x[1]} channels, {spec.w[2]}x{spec.w[3]} multiply-adds per output"


@dataclass(frozen=True)
class Im2col:
    """Patches unfolded into a matrix, then one matrix product per image."""

    core: str = "im2col"

    def refuses(self, spec: ConvSpec) -> str | None:
        return None

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        unfolded = 3 * spec.x[0] * spec.groups * self.workspace_bytes(spec, threads)
        return 1.3 * self.products(spec) / FMAS_PER_CYCLE / threads + 2 * unfolded / BYTES_PER_CYCLE

    def products(self, spec: ConvSpec) -> int:
        return spec.multiply_adds

    def error(self, spec: ConvSpec) -> float:
        return 0.3 * EPSILON * _depth(spec) ** 0.5

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * spec.w[0] * _depth(spec)

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        """The unfolded matrix of one image and its packed copy."""
        h, w = spec.out_hw
        return 2 * 4 * _depth(spec) * h * w

    def explain(self, spec: ConvSpec) -> str:
        h, w = spec.out_hw
        times = _depth(spec) * h * w * spec.groups / (spec.x[1] * spec.x[2] * spec.x[3])
        return f"a {_depth(spec)}x{h * w} matrix, {times:.1f} times the image"


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
        return _refuses_steps(spec)

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
            products *= _bfloat16_cost()
        tiles, positions = self._sizes(spec)
        k, c = (-(-size // BLOCK) for size in spec.w[:2])
        transforms = 6 * tiles * positions * (c + k)
        calls = 60 * positions * -(-k // 2) * -(-c // 16) * -(-tiles // 14)  # of the product loop
        return _with_weights((products + transforms + calls) / threads, self.weight_bytes(spec))

    def products(self, spec: ConvSpec) -> int:
        tiles, positions = self._sizes(spec)
        return tiles * positions * _round(spec.w[0]) * _round(spec.w[1])

    def weight_bytes(self, spec: ConvSpec) -> int:
        positions = self._sizes(spec)[1]
        return _bytes_of(self.precision) * positions * _round(spec.w[0]) * _round(spec.w[1])

    def error(self, spec: ConvSpec) -> float:
        sides = 1 if 1 in spec.w[2:] else 2
        if self.precision == "bfloat16":
            return BFLOAT16_ERROR[self.tile]
        growth = AMPLIFICATION.get(self.tile + max(spec.w[2:]) - 1, 0.0)
        return growth ** (sides / 2) * EPSILON * (9 + spec.x[1]) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return _tiled_bytes(spec, *self._sizes(spec), threads)

    def explain(self, spec: ConvSpec) -> str:
        tiles, positions = self._sizes(spec)
        k, c = spec.w[:2]
        name = f"F({self.tile}, {max(spec.w[2:])})"
        name += " in bfloat16" if self.precision == "bfloat16" else ""
        return f"{name}, {positions} products of {tiles}x{c} by {c}x{k}"


# Tiles by filter side: what the core has kernels for.
SQUARE_TILES = {3: (2, 4, 6), 5: (2, 4)}
LINE_TILES = {3: (4, 6), 7: (2,)}
# Of rounding errors, by a tile's inputs per side; measured: docs/accuracy.md.
AMPLIFICATION = {4: 0.55, 6: 1.6, 8: 7.0}
# Of rounding 3x3 tiles and filters to bfloat16, by outputs per side; measured likewise.
BFLOAT16_ERROR = {2: 4.0e-3, 4: 1.13e-2}


@dataclass(frozen=True)
class Fft:
    """Fourier transforms of overlapping tiles (overlap-save); also depthwise."""

    side: int

    @property
    def core(self) -> str:
        return f"fft-{self.side}"

    def refuses(self, spec: ConvSpec) -> str | None:
        if max(spec.w[2:]) > self.side - 1:
            return f"needs filters below {self.side}, got {spec.w[2]}x{spec.w[3]}"
        if spec.groups > 1 and not spec.depthwise:
            return f"needs one group or one per channel and filter, got {spec.groups}"
        return _refuses_steps(spec)

    def _sizes(self, spec: ConvSpec) -> tuple[int, int]:
        tiles = spec.x[0]
        for outputs, taps in zip(spec.out_hw, spec.w[2:], strict=True):
            tiles *= -(-outputs // (self.side - taps + 1))
        return tiles, (self.side // 2 - 1) * self.side + 2 * (self.side // 2 + 1)

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        tiles, positions = self._sizes(spec)
        cycles = FFT_CYCLES[self.side] * tiles * positions * (_round(spec.x[1]) + _round(spec.w[0]))
        cycles /= BLOCK
        if spec.groups == 1:
            cycles += 1.15 * self.products(spec) / FMAS_PER_CYCLE
        return _with_weights(cycles / threads, self.weight_bytes(spec))

    def products(self, spec: ConvSpec) -> int:
        tiles, positions = self._sizes(spec)
        return (
            4
            * tiles
            * positions
            * _round(spec.w[0])
            * (1 if spec.groups > 1 else _round(spec.w[1]))
        )

    def weight_bytes(self, spec: ConvSpec) -> int:
        numbers = 2 * _round(spec.w[0]) * self._sizes(spec)[1]
        return 4 * numbers * (2 * _round(spec.w[1]) if spec.groups == 1 else 1)

    def error(self, spec: ConvSpec) -> float:
        return 0.37 * EPSILON * (46 + spec.w[1]) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        tiles, positions = self._sizes(spec)
        if spec.groups > 1:
            return threads * 128 * positions
        return _tiled_bytes(spec, tiles, 2 * positions, threads)

    def explain(self, spec: ConvSpec) -> str:
        tiles, positions = self._sizes(spec)
        k, c = spec.w[:2]
        if spec.groups > 1:
            return f"{positions} complex products for {tiles} tiles of {k} channels"
        return f"{positions} complex products of {tiles}x{c} by {c}x{k}"


# One transform, per complex position and block of channels, by side.
FFT_CYCLES = {16: 25.0, 32: 34.0, 64: 48.0}


ALGORITHMS: dict[str, Algorithm] = {
    "direct": Direct(),
    "direct-bfloat16": Direct("bfloat16"),
    "depthwise": Depthwise(),
    "im2col": Im2col(),
    "winograd-2": Winograd(2),
    "winograd-4": Winograd(4),
    "winograd-6": Winograd(6),
    "winograd-2-bfloat16": Winograd(2, "bfloat16"),
    "winograd-4-bfloat16": Winograd(4, "bfloat16"),
    "fft-16": Fft(16),
    "fft-32": Fft(32),
    "fft-64": Fft(64),
}


def candidates(spec: ConvSpec) -> dict[str, Algorithm]:
    """The algorithms that do not refuse the shape."""
    return {name: a for name, a in ALGORITHMS.items() if a.refuses(spec) is None}


def _round(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def _depth(spec: ConvSpec) -> int:
    return spec.w[1] * spec.w[2] * spec.w[3]


def _refuses_steps(spec: ConvSpec) -> str | None:
    """What all tiled algorithms need of stride and dilation."""
    if spec.stride != (1, 1):
        return f"needs stride 1, got {spec.stride}"
    return None if spec.dilation == (1, 1) else f"needs dilation 1, got {spec.dilation}"


def _multiplies_bfloat16() -> bool:
    return has_avx512_bf16() and active_isa() == "avx512"


def _bfloat16_cost() -> float:
    """Cycles of a bfloat16 product, in those of a float32 one."""
    return 0.53 if _multiplies_bfloat16() else 1.1


def _bytes_of(precision: str) -> int:
    """Of a packed weight: without such products, rounded values are kept as float32."""
    return 2 if precision == "bfloat16" and _multiplies_bfloat16() else 4


def _tiled_bytes(spec: ConvSpec, tiles: int, values: int, threads: int) -> int:
    patches = min(12 << 20, 4 * values * _round(spec.x[1]) * tiles)
    return patches + threads * 700_000


def _with_weights(cycles: float, weight_bytes: float) -> float:
    """Cycles of the arithmetic and of reading the filters from memory; most of it overlaps."""
    reading = weight_bytes / BYTES_PER_CYCLE
    return max(cycles, reading) + min(cycles, reading) / 4
