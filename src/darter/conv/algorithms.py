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

from typing import Protocol

from darter.conv.depthwise import Depthwise
from darter.conv.direct import Direct
from darter.conv.fft import Fft
from darter.conv.im2col import Im2col
from darter.conv.spec import ConvSpec, expect_spec
from darter.conv.winograd import OnTheFly, Winograd


class Algorithm(Protocol):
    """A way to compute a convolution: a frozen value, which knows its limits and its cost."""

    @property
    def core(self) -> str:
        """What the compiled core calls it."""

    def refuses(self, spec: ConvSpec) -> str | None:
        """Why it cannot compute this one; None where it can."""

    def products(self, spec: ConvSpec) -> int:
        """Multiplications that it takes, those of its transforms aside."""

    def estimate(self, spec: ConvSpec, threads: int) -> float:
        """Cycles, about."""

    def error(self, spec: ConvSpec) -> float:
        """Root mean square error, relative to the result's own."""

    def weight_bytes(self, spec: ConvSpec) -> int:
        """Of the packed filters."""

    def workspace_bytes(self, spec: ConvSpec, threads: int) -> int:
        """What a run needs besides images and filters."""

    def explain(self, spec: ConvSpec) -> str:
        """How it computes this one, in half a sentence."""


ALGORITHMS: dict[str, Algorithm] = {
    "direct": Direct(),
    "direct-bfloat16": Direct("bfloat16"),
    "depthwise": Depthwise(),
    "im2col": Im2col(),
    "winograd-2": Winograd(2),
    "winograd-4": Winograd(4),
    "winograd-6": Winograd(6),
    "winograd-4-on-the-fly": OnTheFly(),
    "winograd-2-bfloat16": Winograd(2, "bfloat16"),
    "winograd-4-bfloat16": Winograd(4, "bfloat16"),
    "fft-16": Fft(16),
    "fft-32": Fft(32),
    "fft-64": Fft(64),
}


def candidates(spec: ConvSpec) -> dict[str, Algorithm]:
    """The algorithms that do not refuse the shape."""
    expect_spec(spec)
    return {name: a for name, a in ALGORITHMS.items() if a.refuses(spec) is None}
