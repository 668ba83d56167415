"""Convolution by unfolding."""

from dataclasses import dataclass

from darter.conv.costs import BYTES_PER_CYCLE, EPSILON, FMAS_PER_CYCLE, depth
from darter.conv.spec import ConvSpec

LONGEST_SUM = 512  # of a matrix product; longer ones are sums of such sums, and err no more


@dataclass(frozen=True)
class Im2col:
    """Patches unfolded into a matrix, then one matrix product per image."""

    core: str = "im2col"

    def refuses(self, spec: ConvSpec) -> str | None:
        return None

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        unfolded = 3 * spec.x[0] * spec.groups * self.workspace_bytes(spec, threads)
        moved = unfolded + self.weight_bytes(spec)  # filters are packed anew in every run
        return 1.3 * self.products(spec) / FMAS_PER_CYCLE / threads + 2 * moved / BYTES_PER_CYCLE

    def products(self, spec: ConvSpec) -> int:
        return spec.multiply_adds

    def error(self, spec: ConvSpec) -> float:
        return 0.3 * EPSILON * min(depth(spec), LONGEST_SUM) ** 0.5

    def weight_bytes(self, spec: ConvSpec) -> int:
        return 4 * spec.w[0] * depth(spec)

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        """The unfolded matrix of one image and its packed copy."""
        h, w = spec.out_hw
        return 2 * 4 * depth(spec) * h * w

    def explain(self, spec: ConvSpec) -> str:
        h, w = spec.out_hw
        times = depth(spec) * h * w * spec.groups / (spec.x[1] * spec.x[2] * spec.x[3])
        return f"a {depth(spec)}x{h * w} matrix, {times:.1f} times the image"
