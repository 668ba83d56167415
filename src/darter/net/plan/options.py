"""How to plan."""

from dataclasses import dataclass

from darter.errors import OptionError
from darter.kernels import PRECISIONS, Element, has_bfloat16

# Expected rms error of one convolution against the rms of its outputs; a net's is of that order.
MAX_ERROR = {"float32": 1e-5, "bfloat16": 5e-3}


@dataclass(frozen=True)
class Options:
    """threads: that one run may use.   precision: of the factors in products and, where the CPU has
    bfloat16, of tensors between layers; sums are float32.
    tune: time every algorithm of each convolution, once per machine.
    memory_cap: bytes that packed weights and the arena of a plan may take together, or None.
    lean: take the algorithm whose packed weights and workspace are smallest, not the fastest.
    """

    threads: int
    precision: str = "float32"
    tune: bool = False
    memory_cap: int | None = None
    lean: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            known = " or ".join(PRECISIONS)
            raise OptionError(f"precision must be {known}, got {self.precision!r}")
        if self.threads < 1:
            raise OptionError(f"threads must be at least 1, got {self.threads}")

    @property
    def kept(self) -> Element:
        """What tensors between layers are kept as: in 16 bits where the CPU computes with them."""
        return (
            Element.bfloat16 if self.precision == "bfloat16" and has_bfloat16() else Element.float32
        )

    @property
    def max_error(self) -> float:
        return MAX_ERROR[self.precision]
