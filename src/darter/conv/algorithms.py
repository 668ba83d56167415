"""The ways to compute a convolution, in one dict that everything reads.

The chooser, the tuner, the tests, the benchmark and the command line all take `ALGORITHMS`. An
algorithm is a frozen value: `refuses` says why a shape is not for it, `estimate` what it would cost
in cycles, `error` how far it strays (root mean square, relative to that of the outputs, for
independent inputs), `workspace_bytes` what it needs beside its arguments, `explain` what it does.
"""

from dataclasses import dataclass
from typing import Protocol

from darter.conv.spec import ConvSpec
from darter.kernels import BLOCK

EPSILON = 2.0**-24  # half of float32's spacing at 1
FMAS_PER_CYCLE = 32  # multiply-adds of one core: two AVX-512 units; ratios matter, not the unit
BYTES_PER_CYCLE = 10  # from memory, one core of two reading


class Algorithm(Protocol):
    @property
    def core(self) -> str:
        """What the compiled core calls it."""

    def refuses(self, spec: ConvSpec) -> str | None: ...
    def estimate(self, spec: ConvSpec, threads: int) -> float: ...
    def error(self, spec: ConvSpec) -> float: ...
    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int: ...
    def explain(self, spec: ConvSpec) -> str: ...


@dataclass(frozen=True)
class Direct:
    """One implicit matrix product; any stride, dilation and groups."""

    core: str = "direct"

    def refuses(self, spec: ConvSpec) -> str | None:
        return None

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        filters = _round(spec.w[0]) if spec.groups == 1 else BLOCK * spec.w[0]
        channels = spec.w[1] if spec.x[1] <= 8 else _round(spec.w[1])
        n, _, h, w = spec.y
        taps = spec.w[2] * spec.w[3]
        products = n * h * w * filters * channels * taps / FMAS_PER_CYCLE / threads
        return 1.05 * products + _stream(4 * filters * channels * taps)

    def error(self, spec: ConvSpec) -> float:
        return 0.3 * EPSILON * _depth(spec) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return threads * 400_000 if any(spec.padding) else 0

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
        return 2 * spec.multiply_adds / FMAS_PER_CYCLE / threads

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
        return 1.3 * spec.multiply_adds / FMAS_PER_CYCLE / threads + unfolded / BYTES_PER_CYCLE

    def error(self, spec: ConvSpec) -> float:
        return 0.3 * EPSILON * _depth(spec) ** 0.5

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
    """F(tile x tile, 3 x 3): (tile + 2)² products for tile² outputs instead of 9 each."""

    tile: int
    amplification: float  # of rounding errors, measured: docs/accuracy.md

    @property
    def core(self) -> str:
        return f"winograd-{self.tile}"

    def refuses(self, spec: ConvSpec) -> str | None:
        if spec.w[2:] != (3, 3):
            return f"needs 3x3 filters, got {spec.w[2]}x{spec.w[3]}"
        if spec.stride != (1, 1):
            return f"needs stride 1, got {spec.stride}"
        if spec.dilation != (1, 1):
            return f"needs dilation 1, got {spec.dilation}"
        return None if spec.groups == 1 else f"needs one group, got {spec.groups}"

    def _tiles(self, spec: ConvSpec) -> int:
        h, w = spec.out_hw
        return spec.x[0] * -(-h // self.tile) * -(-w // self.tile)

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        tiles, positions = self._tiles(spec), (self.tile + 2) ** 2
        channels, filters = _round(spec.x[1]), _round(spec.w[0])
        products = 1.15 * tiles * positions * channels * filters / FMAS_PER_CYCLE
        transforms = tiles * positions * (3.5 * channels + 4.5 * filters) / BLOCK
        return (products + transforms) / threads + _stream(4 * positions * channels * filters)

    def error(self, spec: ConvSpec) -> float:
        return self.amplification * EPSILON * (9 + spec.x[1]) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        positions = (self.tile + 2) ** 2
        patches = min(12 << 20, 4 * positions * _round(spec.x[1]) * self._tiles(spec))
        return patches + threads * 700_000

    def explain(self, spec: ConvSpec) -> str:
        k, c = spec.w[:2]
        return f"{(self.tile + 2) ** 2} products of {self._tiles(spec)}x{c} by {c}x{k}"


ALGORITHMS: dict[str, Algorithm] = {
    "direct": Direct(),
    "depthwise": Depthwise(),
    "im2col": Im2col(),
    "winograd-2": Winograd(2, amplification=0.55),
    "winograd-4": Winograd(4, amplification=1.6),
    "winograd-6": Winograd(6, amplification=7.0),
}


def candidates(spec: ConvSpec) -> dict[str, Algorithm]:
    """The algorithms that do not refuse the shape."""
    return {name: a for name, a in ALGORITHMS.items() if a.refuses(spec) is None}


def _round(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def _depth(spec: ConvSpec) -> int:
    return spec.w[1] * spec.w[2] * spec.w[3]


def _stream(weight_bytes: int) -> float:
    """Cycles to read weights that no cache holds."""
    return max(0, weight_bytes - (4 << 20)) / BYTES_PER_CYCLE / 4
