"""What the algorithms' estimates share: the machine's speeds, and sizes of packed arrays."""

from darter.conv.spec import ConvSpec
from darter.kernels import BLOCK, active_isa, has_bfloat16
from darter.machine import cpu_name

EPSILON = 2.0**-24  # half of float32's spacing at 1
FMAS_PER_CYCLE = 32  # multiply-adds of one core: two AVX-512 units; ratios matter, not the unit
TILED_SUM = 256  # products that transformed tiles add up at a time (complex ones count twice)
BYTES_PER_CYCLE = 11  # from memory, all cores together


def whole_blocks(channels: int) -> int:
    """Channels, with those that fill the last block."""
    return -(-channels // BLOCK) * BLOCK


def depth(spec: ConvSpec) -> int:
    """Products per output."""
    return spec.w[1] * spec.w[2] * spec.w[3]


def refuses_steps(spec: ConvSpec) -> str | None:
    """What all tiled algorithms need of stride and dilation."""
    if spec.stride != (1, 1):
        return f"needs stride 1, got {spec.stride}"
    return None if spec.dilation == (1, 1) else f"needs dilation 1, got {spec.dilation}"


def multiplies_bfloat16() -> bool:
    """Whether the active instruction set does; otherwise rounded float32 are multiplied."""
    return has_bfloat16()


def bfloat16_cost() -> float:
    """Cycles of a bfloat16 product, in those of a float32 one."""
    if not multiplies_bfloat16():
        return 1.1
    return 0.24 if active_isa() == "amx" else pairs_cost()


def pairs_cost() -> float:
    """The same without tiles."""
    return 1.95 if "Intel" in cpu_name() else 0.53  # Intel's AVX-512 adds one pair every two cycles


def bytes_of(precision: str) -> int:
    """Of a packed weight: without such products, rounded values are kept as float32."""
    return 2 if precision == "bfloat16" and multiplies_bfloat16() else 4


def tiled_bytes(spec: ConvSpec, tiles: int, values: int, threads: int) -> int:
    """Of transformed patches, `values` numbers per tile and channel, and each thread's products."""
    patches = min(12 << 20, 4 * values * whole_blocks(spec.x[1]) * tiles)
    return patches + threads * 700_000


def with_weights(cycles: float, weight_bytes: float) -> float:
    """Cycles of the arithmetic and of reading the filters from memory; half of it overlaps."""
    reading = weight_bytes / BYTES_PER_CYCLE
    return max(cycles, reading) + min(cycles, reading) / 2
