"""Ways to make a trained classifier faster or smaller; each gives a net, or None where it cannot.

smaller_pictures   the same net, shown fewer pixels
smaller_layers     layers split into small ones (`darter.arrange.factorize`)
fewer_channels     channels dropped from every layer
pictures_and_layers   some of the first two
"""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from darter.arrange import Stopwatch, Tuning, Wish, factorize, prune
from darter.errors import UnsupportedError
from darter.transfer import Classifier

FLOAT = 4  # bytes
PER_SPLIT = 2048  # bytes that a file needs to describe the further layers, at most
LEAST = 0.4  # of the sides: smaller pictures show too little
DROPPED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
SIZE_TRIES = 4


@dataclass(frozen=True)
class Way:
    """name: how it was made.   what: that in figures.   size: pixels that the net sees.

    splits: name of a layer -> kind and rank, for `rebuilt`.
    """

    name: str
    what: str
    net: Classifier
    size: int
    splits: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """The trained net, and what is wanted of one made from it.

    pictures: float (N, 3, size, size), training pictures.   ms(net, size): as a file will run.
    most_weights: numbers, not bytes.   any_size: the net takes pictures of other sizes.
    score(net, size): on validation pictures.   until: when, by `time.monotonic`, no further layer
    is looked at.
    """

    net: Classifier
    size: int
    pictures: Tensor
    ms: Callable[[nn.Module, int], float]
    score: Callable[[nn.Module, int], float]
    most_ms: float
    most_weights: float
    any_size: bool
    watch: Stopwatch
    tuning: Tuning
    say: Callable[[str], None]
    until: float = math.inf

    def fits(self, net: nn.Module, size: int) -> bool:
        small = weights_of(net) <= self.most_weights
        return small and (self.most_ms == math.inf or self.ms(net, size) <= self.most_ms)

    @property
    def step(self) -> int:
        """Pixels between sizes that are tried: blocks of the last, smallest maps."""
        return 16 if self.size >= 160 else 8 if self.size >= 64 else 4


def weights_of(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def shown(x: Tensor, size: int) -> Tensor:
    """Pictures as a net of that size sees them; the same part of each picture."""
    if x.shape[-1] == size:
        return x
    return interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)


def smaller_pictures(wanted: Wanted) -> Way | None:
    if not wanted.any_size or wanted.most_ms == math.inf:
        return None
    size = _side(wanted, wanted.most_ms)
    if size is None or not wanted.fits(wanted.net, size):
        return None
    return Way("smaller pictures", f"{size}×{size} pixels", copy.deepcopy(wanted.net), size)


def _side(wanted: Wanted, most: float) -> int | None:
    """The largest side at which the trained net takes no longer than that."""
    now, step = wanted.ms(wanted.net, wanted.size), wanted.step
    side = step * math.floor(wanted.size * math.sqrt(most / now) / step)
    side = min(side, wanted.size - step)
    for _ in range(SIZE_TRIES):
        if side < max(step, LEAST * wanted.size):
            return None
        if wanted.ms(wanted.net, side) <= most:
            return side
        side -= step
    return None


def smaller_layers(wanted: Wanted) -> Way | None:
    return _split(wanted, "smaller layers", wanted.size)


def pictures_and_layers(wanted: Wanted) -> Way | None:
    """Half of the way, as a factor, by fewer pixels; the rest by splitting layers."""
    if not wanted.any_size or wanted.most_ms == math.inf:
        return None
    now = wanted.ms(wanted.net, wanted.size)
    size = _side(wanted, math.sqrt(now * wanted.most_ms))
    return None if size is None else _split(wanted, "smaller pictures and layers", size)


def _finite(limit: float) -> float | None:
    return None if limit == math.inf else limit


def _split(wanted: Wanted, name: str, size: int) -> Way | None:
    pictures = torch.cat([shown(x.float(), size) for x in wanted.pictures.split(64)])
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in wanted.net.modules())
    size_limit = FLOAT * wanted.most_weights - PER_SPLIT * layers
    wish = Wish(ms=_finite(wanted.most_ms), size=_finite(max(1.0, size_limit)))
    found = factorize(
        wanted.net,
        pictures,
        lambda net: wanted.score(net, size),
        wish,
        time=lambda net: wanted.ms(net, size),
        watch=wanted.watch,
        tuning=wanted.tuning,
        until=wanted.until,
    )
    splits = {row.name: (row.kind, row.rank) for row in found.layers if row.kind is not None}
    if not splits:
        return None
    what = f"{len(splits)} of {len(found.layers)} layers split"
    if size != wanted.size:
        what = f"{size}×{size} pixels, {what}"
    return Way(name, what, found.net, size, splits)


def fewer_channels(wanted: Wanted) -> Way | None:
    """The smallest share whose net is as wished; the largest that was tried, if none is."""
    low, high = 0, len(DROPPED)
    nearest: Way | None = None
    found: Way | None = None
    while low < high:
        middle = (low + high) // 2
        share = DROPPED[middle]
        try:
            net = prune(_trainable(wanted.net), wanted.pictures[:2].float(), share)
        except UnsupportedError as error:
            wanted.say(str(error))
            break
        assert isinstance(net, Classifier)
        net.eval().requires_grad_(False)
        what = f"{share:.0%} of each layer's channels dropped"
        nearest = Way("fewer channels", what, net, wanted.size)
        if wanted.fits(net, wanted.size):
            found, high = nearest, middle
        else:
            low = middle + 1
    return found or nearest


def _trainable(net: Classifier) -> Classifier:
    """A copy; what belongs together is found along its gradients."""
    return copy.deepcopy(net).eval().requires_grad_(True)


WAYS = (smaller_pictures, smaller_layers, pictures_and_layers, fewer_channels)
