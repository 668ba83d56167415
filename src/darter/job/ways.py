"""Ways to make a trained classifier faster or smaller; each gives a net, or None where it cannot.

fewer_bits         the same net in bfloat16, where this CPU has it
smaller_pictures   the same net, shown fewer pixels
smaller_layers     layers split into small ones (`darter.arrange.factorize`)
fewer_channels     channels dropped from every layer
pictures_and_layers   some of the first two

All but the first in float32, or in bfloat16 where that alone is not enough.
"""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from darter.arrange import Stopwatch, Tuning, Wish, factorize, prune
from darter.errors import MissingExtraError, UnsupportedError
from darter.kernels import BFLOAT16, FLOAT32
from darter.transfer import Classifier

FLOAT = 4  # bytes, of weights in the file
PER_SPLIT = 2048  # bytes that a file needs to describe the further layers, at most
LEAST = 0.4  # of the sides: smaller pictures show too little
DROPPED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
SIZE_TRIES = 6
IN_16_BITS = "the same net, products and tensors between layers in 16 bits"


@dataclass(frozen=True)
class Way:
    """name: how it was made.   what: that in figures.   size: pixels that the net sees.

    splits: name of a layer -> kind and rank, for `rebuilt`.   precision: that it runs in.
    """

    name: str
    what: str
    net: Classifier
    size: int
    splits: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    precision: str = FLOAT32


@dataclass(frozen=True)
class Wanted:
    """The trained net, and what is wanted of one made from it.

    pictures: float (N, 3, size, size), training pictures.   ms(net, size, precision): as a file
    will run.   score(net, size, precision): on validation pictures.   most_ms: as wished.   watch(
    precision): times layers.   most_weights: numbers, not bytes.   any_size: the net takes pictures
    of other sizes.   aim: the share of most_ms that nets are changed for, as times differ from one
    measurement to the next; the net as it was trained need only be as fast as wished.
    bfloat16: may be used.   until: when, by `time.monotonic`, no further layer is looked at; what
    takes a moment goes on.
    """

    net: Classifier
    size: int
    pictures: Tensor
    ms: Callable[[nn.Module, int, str], float]
    score: Callable[[nn.Module, int, str], float]
    most_ms: float
    most_weights: float
    any_size: bool
    watch: Callable[[str], Stopwatch]
    tuning: Tuning
    say: Callable[[str], None]
    bfloat16: bool = False
    until: float = math.inf
    aim: float = 1.0

    @property
    def aimed_ms(self) -> float:
        return self.aim * self.most_ms

    def fits(self, net: nn.Module, size: int, precision: str = FLOAT32) -> bool:
        small, most = weights_of(net) <= self.most_weights, self.aimed_ms
        return small and (most == math.inf or self.ms(net, size, precision) <= most)

    def offers(self, precision: str) -> bool:
        """Whether nets in that precision may be made: in 16 bits only where time is wished for, and
        where the trained net itself is not fast enough in them."""
        if precision == FLOAT32:
            return True
        return self.shorter_helps and not self.short_enough

    @property
    def shorter_helps(self) -> bool:
        """Whether time is wished for, and the trained net takes less of it in 16 bits."""
        if not self.bfloat16 or self.most_ms == math.inf:
            return False
        whole, short = (self.ms(self.net, self.size, each) for each in (FLOAT32, BFLOAT16))
        return short < whole

    @property
    def short_enough(self) -> bool:
        """Whether the trained net is as wished in 16 bits."""
        fast = self.ms(self.net, self.size, BFLOAT16) <= self.most_ms
        return fast and weights_of(self.net) <= self.most_weights

    @property
    def late(self) -> bool:
        return time.monotonic() > self.until

    @property
    def step(self) -> int:
        """Pixels between sizes that are tried."""
        return 8 if self.size >= 64 else 4


def weights_of(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def shown(x: Tensor, size: int) -> Tensor:
    """Pictures as a net of that size sees them; the same part of each picture."""
    if x.shape[-1] == size:
        return x
    return interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)


def fewer_bits(wanted: Wanted, *, enough: bool = True) -> Way | None:
    """The trained net itself: nothing is taught, and its file has the same weights.

    enough: only where it is as wished then.
    """
    if not wanted.shorter_helps:
        return None
    if enough and not wanted.short_enough:
        return None
    return Way(BFLOAT16, IN_16_BITS, wanted.net, wanted.size, precision=BFLOAT16)


def smaller_pictures(wanted: Wanted, precision: str = FLOAT32) -> Way | None:
    if not wanted.any_size or wanted.most_ms == math.inf or not wanted.offers(precision):
        return None
    size = _side(wanted, wanted.aimed_ms, precision)
    if size is None or not wanted.fits(wanted.net, size, precision):
        return None
    net = copy.deepcopy(wanted.net)
    return Way(_name("smaller pictures", precision), _pixels(size), net, size, precision=precision)


def _name(changed: str, precision: str) -> str:
    return changed if precision == FLOAT32 else f"{precision} and {changed}"


def _pixels(size: int) -> str:
    return f"{size}×{size} pixels"


def _side(wanted: Wanted, most: float, precision: str) -> int | None:
    """The largest side at which the trained net takes no longer than that."""
    now, step = wanted.ms(wanted.net, wanted.size, precision), wanted.step
    side = step * math.floor(wanted.size * math.sqrt(most / now) / step)
    side = min(side, wanted.size - step)
    for _ in range(SIZE_TRIES):
        if side < max(step, LEAST * wanted.size):
            return None
        if wanted.ms(wanted.net, side, precision) <= most:
            return side
        side -= step
    return None


def smaller_layers(wanted: Wanted, precision: str = FLOAT32) -> Way | None:
    if wanted.late or not wanted.offers(precision):
        return None
    return _split(wanted, "smaller layers", wanted.size, precision)


def pictures_and_layers(wanted: Wanted, precision: str = FLOAT32) -> Way | None:
    """Half of the way, as a factor, by fewer pixels; the rest by splitting layers."""
    if wanted.late or not wanted.any_size or wanted.most_ms == math.inf:
        return None
    if not wanted.offers(precision):
        return None
    now = wanted.ms(wanted.net, wanted.size, precision)
    size = _side(wanted, math.sqrt(now * wanted.aimed_ms), precision)
    if size is None:
        return None
    return _split(wanted, "smaller pictures and layers", size, precision)


def _finite(limit: float) -> float | None:
    return None if limit == math.inf else limit


def _split(wanted: Wanted, name: str, size: int, precision: str) -> Way | None:
    pictures = torch.cat([shown(x.float(), size) for x in wanted.pictures.split(64)])
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in wanted.net.modules())
    size_limit = FLOAT * wanted.most_weights - PER_SPLIT * layers
    wish = Wish(ms=_finite(wanted.aimed_ms), size=_finite(max(1.0, size_limit)))
    found = factorize(
        wanted.net,
        pictures,
        lambda net: wanted.score(net, size, precision),
        wish,
        time=lambda net: wanted.ms(net, size, precision),
        watch=wanted.watch(precision),
        tuning=wanted.tuning,
        until=wanted.until,
    )
    splits = {row.name: (row.kind, row.rank) for row in found.layers if row.kind is not None}
    if not splits:
        return None
    what = f"{len(splits)} of {len(found.layers)} layers split"
    if size != wanted.size:
        what = f"{_pixels(size)}, {what}"
    return Way(_name(name, precision), what, found.net, size, splits, precision)


def fewer_channels(wanted: Wanted, precision: str = FLOAT32) -> Way | None:
    """The smallest share whose net is as wished; the largest that was tried, if none is."""
    if not wanted.offers(precision):
        return None
    low, high = 0, len(DROPPED)
    nearest: Way | None = None
    found: Way | None = None
    while low < high:
        middle = (low + high) // 2
        share = DROPPED[middle]
        try:
            net = prune(_trainable(wanted.net), wanted.pictures[:2].float(), share)
        except (UnsupportedError, MissingExtraError) as error:
            wanted.say(str(error))
            break
        assert isinstance(net, Classifier)
        net.eval().requires_grad_(False)
        what = f"{share:.0%} of each layer's channels dropped"
        name = _name("fewer channels", precision)
        nearest = Way(name, what, net, wanted.size, precision=precision)
        if wanted.fits(net, wanted.size, precision):
            found, high = nearest, middle
        else:
            low = middle + 1
    return found or nearest


def _trainable(net: Classifier) -> Classifier:
    """A copy; what belongs together is found along its gradients."""
    return copy.deepcopy(net).eval().requires_grad_(True)


MAKERS = (smaller_pictures, smaller_layers, pictures_and_layers, fewer_channels)
# What is measured in a moment comes first, and in bfloat16 before float32: less need be changed.
WAYS: tuple[Callable[[Wanted], Way | None], ...] = (
    fewer_bits,
    *(partial(make, precision=precision) for make in MAKERS for precision in (BFLOAT16, FLOAT32)),
)
