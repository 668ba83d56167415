"""Convolution by Fourier transforms."""

from dataclasses import dataclass

from darter.conv.costs import (
    EPSILON,
    FMAS_PER_CYCLE,
    TILED_SUM,
    refuses_steps,
    tiled_bytes,
    whole_blocks,
    with_weights,
)
from darter.conv.spec import ConvSpec
from darter.kernels import BLOCK

# One transform, per complex position and block of channels, by side.
FFT_CYCLES = {16: 25.0, 32: 34.0, 64: 48.0}


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
        return refuses_steps(spec)

    def _sizes(self, spec: ConvSpec) -> tuple[int, int]:
        tiles = spec.x[0]
        for outputs, taps in zip(spec.out_hw, spec.w[2:], strict=True):
            tiles *= -(-outputs // (self.side - taps + 1))
        return tiles, (self.side // 2 - 1) * self.side + 2 * (self.side // 2 + 1)

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        tiles, positions = self._sizes(spec)
        blocks = (whole_blocks(spec.x[1]) + whole_blocks(spec.w[0])) // BLOCK
        cycles = FFT_CYCLES[self.side] * tiles * positions * blocks
        if spec.groups == 1:
            cycles += 1.15 * self.products(spec) / FMAS_PER_CYCLE
        return with_weights(cycles / threads, self.weight_bytes(spec))

    def products(self, spec: ConvSpec) -> int:
        tiles, positions = self._sizes(spec)
        channels = whole_blocks(spec.w[1]) if spec.groups == 1 else 1
        return 4 * tiles * positions * channels * whole_blocks(spec.w[0])

    def weight_bytes(self, spec: ConvSpec) -> int:
        numbers = 2 * whole_blocks(spec.w[0]) * self._sizes(spec)[1]
        return 4 * numbers * (2 * whole_blocks(spec.w[1]) if spec.groups == 1 else 1)

    def error(self, spec: ConvSpec) -> float:
        return 0.37 * EPSILON * (46 + min(spec.w[1], TILED_SUM / 2)) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        tiles, positions = self._sizes(spec)
        if spec.groups > 1:
            return threads * 128 * positions
        return tiled_bytes(spec, tiles, 2 * positions, threads)

    def explain(self, spec: ConvSpec) -> str:
        tiles, positions = self._sizes(spec)
        k, c = spec.w[:2]
        if spec.groups > 1:
            return f"{positions} complex products for {tiles} tiles of {k} channels"
        return f"{positions} complex products of {tiles}x{c} by {c}x{k}"
