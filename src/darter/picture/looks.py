"""Several looks at one picture, which is decoded once: what a model's answers are averaged over.

make_look(["views:10x5"], preprocess)                   the 50 fixed views
make_look(["flip"], preprocess)                         as it is, and mirrored
make_look(["augment:8"], preprocess, augment={...})     8 draws of the training's random changes
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.picture.augment import Augment
from darter.picture.preprocess import Preprocess
from darter.picture.views import PLACES, Views

SCALES = (224, 256, 384, 480, 640)  # of the short side, for crops of 224; others in proportion
MOST_DRAWS = 1000
KINDS = ("flip", "views", "augment")


class Look(Protocol):
    """Calling it with pixels, uint8 (H, W, 3), gives float32 (len(look), C, height, width)."""

    @property
    def min_side(self) -> int: ...
    def __len__(self) -> int: ...
    def __call__(self, pixels: NDArray[np.uint8], /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class AsItIs:
    """What the model sees of a picture without any noise."""

    preprocess: Preprocess

    def __len__(self) -> int:
        return 1

    @property
    def min_side(self) -> int:
        return self.preprocess.min_side

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.preprocess(pixels)[None]


@dataclass(frozen=True)
class Flipped(AsItIs):
    """The same, and its mirror image."""

    def __len__(self) -> int:
        return 2

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        straight = self.preprocess(pixels)
        return np.stack((straight, straight[..., ::-1]))


@dataclass(frozen=True)
class Draws:
    """The first `count` draws of an augmentation: for every picture the same, so that no answer
    depends on what other pictures there are."""

    augment: Augment
    count: int
    seed: int = 0

    def __len__(self) -> int:
        return self.count

    @property
    def min_side(self) -> int:
        return self.augment.min_side

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        out = np.empty((self.count, 3, self.augment.size, self.augment.size), np.float32)
        for number, slot in enumerate(out):
            self.augment.write(pixels, slot, self.seed, number, 0)
        return out


@dataclass(frozen=True)
class Joined:
    """Several looks, one after the other."""

    looks: tuple[Look, ...]

    def __len__(self) -> int:
        return sum(map(len, self.looks))

    @property
    def min_side(self) -> int:
        return max(look.min_side for look in self.looks)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.concatenate([look(pixels) for look in self.looks])


def make_look(
    sources: Sequence[str],
    preprocess: Preprocess,
    *,
    augment: Mapping[str, Mapping[str, Any]] | None = None,
) -> Look:
    """The looks of that name, for a model that sees pictures through `preprocess`.

    sources: none, for a single look; "flip"; "views:CROPSxSCALES", see `views_for`; "augment:N".
    augment: the training's random changes, as `Augment.to_dict` gives them.
    Raises OptionError for an unknown name or a number out of range.
    """
    looks = tuple(_look(source, preprocess, augment) for source in sources)
    return looks[0] if len(looks) == 1 else Joined(looks) if looks else AsItIs(preprocess)


def is_look(source: str) -> bool:
    """Whether a source of noise is one that looks at pictures in other ways."""
    return source.partition(":")[0] in KINDS


def views_for(preprocess: Preprocess, crops: int = 10, scales: int = 5) -> Views:
    """Fixed crops of the model's own size at the first of the five scales.

    crops: 1 (the middle), 2 (and its mirror image), 5 (corners and middle), or 10 (and their
    mirror images). scales: 1 to 5. For a model of 224 pixels, 10 × 5 are the 50 views of ResNet;
    other sizes scale all lengths in proportion. One scale is the second, 256, as AlexNet's.
    """
    if crops not in _CROPS or not 1 <= scales <= len(SCALES):
        raise OptionError(
            f"views:{crops}x{scales}: expected views:CROPSxSCALES, with crops one of "
            f"{', '.join(map(str, _CROPS))} and scales from 1 to {len(SCALES)}"
        )
    _check_rgb("views", preprocess)
    side, chosen = preprocess.side, SCALES[:scales] if scales > 1 else (SCALES[1],)
    (r, g, b), (dr, dg, db) = preprocess.mean, preprocess.std
    places, mirrored = _CROPS[crops]
    return Views(
        side,
        tuple(round(side * scale / 224) for scale in chosen),
        (r, g, b),
        (dr, dg, db),
        places,
        mirrored,
    )


_CROPS = {1: (("middle",), False), 2: (("middle",), True), 5: (PLACES, False), 10: (PLACES, True)}


def _look(source: str, preprocess: Preprocess, augment: Mapping[str, Any] | None) -> Look:
    name, _, count = source.partition(":")
    if name == "flip" and not count:
        return Flipped(preprocess)
    if name == "views":
        return views_for(preprocess, *_crops_and_scales(source, count))
    if name == "augment":
        if augment is None:
            raise OptionError(
                f"{source}: it is not known how this model's training changed its pictures; only "
                "models that darter trained carry that"
            )
        if "pca_noise" in augment:
            raise OptionError(f"{source}: pca_noise needs the training pictures' own statistics")
        _check_rgb(source, preprocess)
        look = {"mean": preprocess.mean, "std": preprocess.std, "crop": preprocess.crop}
        drawn = Augment.from_dict(augment, preprocess.side, **look)
        return Draws(drawn, draws_of(source))
    raise OptionError(f"{source!r} is no way to look at pictures: {', '.join(KINDS)} are")


def draws_of(source: str) -> int:
    """The number in "augment:8". OptionError unless it is from 1 to MOST_DRAWS."""
    count = source.partition(":")[2]
    if not re.fullmatch(r"\d{1,6}", count) or not 1 <= int(count) <= MOST_DRAWS:
        name = source.partition(":")[0]
        raise OptionError(
            f"{source!r}: expected a number of draws from 1 to {MOST_DRAWS}, as in {name}:16"
        )
    return int(count)


def _crops_and_scales(source: str, count: str) -> tuple[int, int]:
    if not count:
        return 10, 5
    match = re.fullmatch(r"(\d{1,3})(?:[x×](\d{1,3}))?", count)
    if match is None:
        raise OptionError(f"{source!r}: expected views:CROPSxSCALES, as in views:10x5")
    return int(match[1]), int(match[2] or 1)


def _check_rgb(name: str, preprocess: Preprocess) -> None:
    if preprocess.channels != 3:
        raise OptionError(f"{name}: the model takes {preprocess.channels} channel; it needs RGB")
