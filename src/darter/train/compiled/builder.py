"""Values and steps of a compiled segment, while it is being written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from darter.conv import ALGORITHMS, GRADIENTS, ConvSpec, admitted
from darter.kernels import BLOCK, has_bfloat16, training_steps
from darter.train.compiled.chains import NOTHING, Item, Ref

# Of one convolution. float32: whole nets stay within 1e-4 of float64. bfloat16: what both gradients
# are made of, and filter gradients, whose errors do not grow from layer to layer.
MAX_ERROR = {"float32": 4e-6, "bfloat16": 5e-3}
MAX_FILTER_ERROR = {"float32": 4e-6, "bfloat16": 1.2e-2}
FORWARD = (  # can be packed again
    "direct", "depthwise", "winograd-2", "winograd-4", "winograd-6", "direct-bfloat16",
    "winograd-2-bfloat16",
)  # fmt: skip
FEWEST_CHANNELS = 9  # that are worth rounding
MOST_PICTURE_CHANNELS = 4  # which have algorithms of their own
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
    """Collects the steps forward and, in reverse order, backward.

    precision: "bfloat16" keeps maps in 16 bits where they outlive a chain, and multiplies such.
    """

    def __init__(self, images: int, precision: str = "float32") -> None:
        self.images, self.precision = images, precision
        self.forward: list[Item] = []
        self.backward: list[Item] = []
        self._backs: list[Callable[[], None]] = []
        self._going_back = False

    def value(self, channels: int, h: int, w: int, *, plain: bool = False, learns: bool) -> Value:
        made = Value(channels, h, w, plain, learns, NOTHING)
        made.ref = self._array(made)
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

    def relay(self, x: Value, y: Value) -> None:
        """Write y, one of the two plain and the other in blocks, from x; back, x's gradient."""
        there, home = ("from_blocked", "to_blocked") if y.plain else ("to_blocked", "from_blocked")
        planes = x.planes if y.plain else y.planes
        self.emit(there, planes, x.ref, y.ref, False, reads=(x.ref,), writes=(y.ref,))

        def back() -> None:
            if y.gradient is None:
                return
            dx, accumulate = self.wanted(x)
            reads = (y.gradient, dx) if accumulate else (y.gradient,)
            self.emit(home, planes, y.gradient, dx, accumulate, reads=reads, writes=(dx,))

        if y.learns:
            self.back(back)

    def finish(self) -> None:
        self._going_back = True
        for step in reversed(self._backs):
            step()

    def wanted(self, value: Value) -> tuple[Ref, bool]:
        """Where to write the gradient of a value, and whether to add to what is there."""
        if value.gradient is not None:
            return value.gradient, True
        value.gradient = self._array(value)
        return value.gradient, False

    def _array(self, value: Value) -> Ref:
        """Rows and single pixels take little memory: they stay float32."""
        short = self.precision == "bfloat16" and not value.plain and value.h * value.w > 1
        return Ref(value.floats, short=short)

    def sums(self, value: Value) -> Ref:
        """Of the lanes of a chain, per channel of the value."""
        blocks = -(-value.channels // BLOCK) * BLOCK
        return Ref(training_steps.LANE_SUMS * blocks, fixed=True, per_lane=True)


@dataclass(frozen=True)
class Layer:
    """A convolution: its options, and what computes it in each direction."""

    spec: ConvSpec  # of a single image
    precision: str = "float32"

    def numbers(self, images: int) -> list[int]:
        numbers = self.spec.numbers()
        return [images, *numbers[1:]]

    def forward(self) -> str:
        names, _ = admitted(self.spec, max_error=MAX_ERROR[self._rounds])
        fit = [name for name in names if name in FORWARD]
        return min(fit, key=lambda name: ALGORITHMS[name].estimate(self._typical, 1))

    def gradient(self, of: str) -> str:
        known = GRADIENTS[of]
        most = (MAX_FILTER_ERROR if of == "filter" else MAX_ERROR)[self._rounds]
        fit = [
            name
            for name, each in known.items()
            if each.refuses(self.spec) is None and each.error(self.spec) <= most
        ]
        return known[min(fit, key=lambda name: known[name].estimate(self._typical, 1))].core

    @property
    def _rounds(self) -> str:
        few = [size for size in (self.spec.x[1], self.spec.w[0]) if size < FEWEST_CHANNELS]
        picture = self.spec.x[1] <= MOST_PICTURE_CHANNELS and len(few) == 1
        short = self.precision == "bfloat16" and has_bfloat16() and (picture or not few)
        return "bfloat16" if short else "float32"

    @property
    def _typical(self) -> ConvSpec:
        """With enough images that reading filters is not what costs."""
        return ConvSpec(
            (16, *self.spec.x[1:]), self.spec.w, self.spec.stride, self.spec.padding,
            self.spec.dilation, self.spec.groups,
        )  # fmt: skip

    def sum_floats(self, algorithm: str, images: int, whole: bool) -> int:
        return training_steps.filter_gradient_floats(algorithm, self.numbers(images), whole)

    def whole(self, algorithm: str) -> bool:
        """Whether its packed filters are too large to be read for each image."""
        floats = self.spec.w[0] * self.spec.w[1] * self.spec.w[2] * self.spec.w[3]
        if algorithm.startswith("winograd"):
            floats = floats // 9 * (int(algorithm.split("-")[1]) + 2) ** 2
        return floats > MOST_PARTIAL_FLOATS
