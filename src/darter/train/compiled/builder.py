"""Values and steps of a compiled segment, while it is being written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from darter.conv import ALGORITHMS, GRADIENTS, ConvSpec, admitted
from darter.kernels import BLOCK, training_steps
from darter.train.compiled.schedule import NOTHING, Item, Ref

MAX_ERROR = 4e-6  # of one convolution: whole nets stay within 1e-4 of float64
FORWARD = ("direct", "depthwise", "winograd-2", "winograd-4", "winograd-6")  # can be packed again
MOST_PARTIAL_FLOATS = 160 * 1024  # of weights that stay in a core's cache, image after image


@dataclass(eq=False)
class Value:
    """A tensor of the net.

    channels, h, w: of an image; plain: (N, channels), not in blocks.   learns: whether a gradient
    is wanted.   remake: writes it again for the backward pass, cheaply, so that it need not be
    kept. users: steps that read it.
    """

    channels: int
    h: int
    w: int
    plain: bool
    learns: bool
    ref: Ref
    gradient: Ref | None = None
    remake: Callable[[], Ref] | None = None
    users: int = 0

    @property
    def floats(self) -> int:
        blocks = self.channels if self.plain else -(-self.channels // BLOCK) * BLOCK
        return blocks * self.h * self.w

    @property
    def planes(self) -> tuple[int, int]:
        """What the core calls Planes."""
        return self.channels, self.h * self.w

    def kept(self) -> Ref:
        """Its numbers, in the backward pass."""
        return self.remake() if self.remake and self.users == 1 else self.ref


class Builder:
    """Collects the steps forward and, in reverse order, backward."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.forward: list[Item] = []
        self.backward: list[Item] = []
        self._backs: list[Callable[[], None]] = []
        self._going_back = False

    def value(self, channels: int, h: int, w: int, *, plain: bool = False, learns: bool) -> Value:
        made = Value(channels, h, w, plain, learns, NOTHING)
        made.ref = Ref(made.floats)
        return made

    def like(self, value: Value) -> Value:
        return self.value(value.channels, value.h, value.w, plain=value.plain, learns=value.learns)

    def emit(
        self,
        function: str,
        *arguments: Any,
        reads: tuple[Ref, ...],
        writes: tuple[Ref, ...],
        reduces: tuple[Ref, ...] = (),
        whole: bool | None = None,
    ) -> None:
        item = Item(function, arguments, reads, writes, reduces, whole)
        (self.backward if self._going_back else self.forward).append(item)

    def back(self, step: Callable[[], None]) -> None:
        """What to do in the backward pass, after the backs of everything that comes later."""
        self._backs.append(step)

    def finish(self) -> None:
        self._going_back = True
        for step in reversed(self._backs):
            step()

    def wanted(self, value: Value) -> tuple[Ref, bool]:
        """Where to write the gradient of a value, and whether to add to what is there."""
        if value.gradient is not None:
            return value.gradient, True
        value.gradient = Ref(value.floats)
        return value.gradient, False

    def sums(self, value: Value) -> Ref:
        """Of the lanes of a chain, per channel of the value."""
        blocks = -(-value.channels // BLOCK) * BLOCK
        return Ref(training_steps.LANE_SUMS * blocks, fixed=True, per_lane=True)


@dataclass(frozen=True)
class Layer:
    """A convolution: its options, and what computes it in each direction."""

    spec: ConvSpec  # of a single image

    def numbers(self, images: int) -> list[int]:
        numbers = self.spec.numbers()
        return [images, *numbers[1:]]

    def forward(self) -> str:
        names, _ = admitted(self.spec, max_error=MAX_ERROR)
        fit = [name for name in names if name in FORWARD]
        return min(fit, key=lambda name: ALGORITHMS[name].estimate(self._typical, 1))

    def gradient(self, of: str) -> str:
        known = GRADIENTS[of]
        fit = [
            name
            for name, each in known.items()
            if each.refuses(self.spec) is None and each.error(self.spec) <= MAX_ERROR
        ]
        return known[min(fit, key=lambda name: known[name].estimate(self._typical, 1))].core

    @property
    def _typical(self) -> ConvSpec:
        """With enough images that reading filters is not what costs."""
        return ConvSpec(
            (16, *self.spec.x[1:]), self.spec.w, self.spec.stride, self.spec.padding,
            self.spec.dilation, self.spec.groups,
        )  # fmt: skip

    def sum_floats(self, algorithm: str) -> int:
        return training_steps.filter_gradient_floats(algorithm, self.numbers(1))

    def whole(self, algorithm: str) -> bool:
        """Whether its packed filters are too large to be read for each image."""
        floats = self.spec.w[0] * self.spec.w[1] * self.spec.w[2] * self.spec.w[3]
        if algorithm.startswith("winograd"):
            floats = floats // 9 * (int(algorithm[-1]) + 2) ** 2
        return floats > MOST_PARTIAL_FLOATS
