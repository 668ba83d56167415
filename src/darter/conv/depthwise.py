"""Depthwise convolution."""

from dataclasses import dataclass

from darter.conv.costs import EPSILON, FMAS_PER_CYCLE, depth, whole_blocks
from darter.conv.spec import ConvSpec


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
        return n * whole_blocks(k) * h * w * spec.w[2] * spec.w[3]

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * whole_blocks(spec.w[0]) * spec.w[2] * spec.w[3]

    def error(self, spec: ConvSpec) -> float:
        return 0.3 * EPSILON * depth(spec) ** 0.5

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        return 0

    def explain(self, spec: ConvSpec) -> str:
        return f"{spec.x[1]} channels, {spec.w[2]}x{spec.w[3]} multiply-adds per output"
