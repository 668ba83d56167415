"""What a model does to every picture before it looks: resize, crop, normalize."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import OptionError
from darter.picture.augment import check_output
from darter.picture.decode import Picture, decode
from darter.picture.encoded import Pixels, size_of
from darter.picture.frame import CROPS, Frame
from darter.picture.ranges import as_number, as_value_range
from darter.picture.source import ValueRange
from darter.picture.warp import IMAGENET_MEAN, IMAGENET_STD, Color, Warp, apply, finish

SPARE = 2  # times larger than needed is what a decoder may leave
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode "L"
USUAL_MEAN = {3: IMAGENET_MEAN, 1: (0.0,)}
USUAL_STD = {3: IMAGENET_STD, 1: (1.0,)}
Source = Path | str | bytes | Picture | NDArray[np.uint8]


@dataclass(frozen=True)
class Preprocess:
    """Antialiased resize, crop and normalization: the noiseless case of the augmentation warp.

    size: of the output: a side of the square, or (height, width).
    resize: pixels of the short side before the crop "center" of a square; None means
        size * 256 / 224. For a rectangle, as a share of what just covers it, times the short side.
    crop: "center" cuts the middle of the resized picture; "squash" resizes all of it to the
        output's sides; "pad" fits all of it in, with the mean color beside it.
    channels: 3 (RGB), or 1: grey, of which red is 29.9%, green 58.7% and blue 11.4%.
    mean, std: normalization of colors in [0, 1], a number per channel; by default ImageNet's for
        RGB, none for grey.
    value_range: black and white of files of floats or 32-bit numbers, one for all pictures, as
        the audit measures it; None where there are no such files.

    >>> Preprocess(size=224)(pixels).shape
    (3, 224, 224)
    >>> Preprocess(size=(32, 100), channels=1)(pixels).shape
    (1, 32, 100)
    """

    size: int | tuple[int, int] = 224
    resize: int | None = None
    crop: str = "center"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    channels: int = 3
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value_range", as_value_range(self.value_range))
        if self.channels not in (1, 3) or isinstance(self.channels, bool):
            raise OptionError(f"preprocess: channels must be 3 or 1, got {self.channels!r}")
        for name, usual in (("mean", USUAL_MEAN), ("std", USUAL_STD)):
            values = getattr(self, name)
            values = tuple(float(v) for v in values) or usual[self.channels]
            if len(values) != self.channels:
                needed = "1 number" if self.channels == 1 else "3 numbers (red, green, blue)"
                raise OptionError(f"preprocess: {name} needs {needed}, got {values}")
            object.__setattr__(self, name, values)
        self._settle_size()
        if self.crop not in CROPS:
            raise OptionError(
                f"preprocess: crop must be one of {', '.join(CROPS)}, got {self.crop!r}"
            )
        short = min(self.sides)
        resize = self.resize
        if resize is None:
            resize = round(short * 256 / 224) if self.crop == "center" else short
        object.__setattr__(self, "resize", int(as_number("preprocess", "resize", resize, 1, 65536)))
        if self.crop == "center" and resize < short:
            raise OptionError(f"preprocess: resize must be at least size ({short}), got {resize}")

    def _settle_size(self) -> None:
        """`size` as a whole number, or two that differ."""
        size = self.size
        sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
        if len(sides) != 2:
            raise OptionError(f"preprocess: size is a side or (height, width), got {size!r}")
        for side in sides:
            check_output(side, _three(self.mean), _three(self.std))
        height, width = (int(side) for side in sides)
        object.__setattr__(self, "size", height if height == width else (height, width))

    @property
    def side(self) -> int:
        """Of the square output; OptionError where it is a rectangle."""
        height, width = self.sides
        if height != width:
            raise OptionError(f"preprocess: size must be one side of a square, got {self.size}")
        return height

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the output."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the output: channels, height, width."""
        return (self.channels, *self.sides)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values, for `from_dict`; channels and range where they are unusual."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if (name, value) not in (("channels", 3), ("value_range", None))
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """From `to_dict`; OptionError for an unknown name or a value out of range."""
        known = [option.name for option in fields(cls)]
        for name in values:
            if name not in known:
                raise OptionError(f"preprocess: {name!r} is unknown (choices: {', '.join(known)})")
        return cls(**values)

    @property
    def min_side(self) -> int:
        """Short side in pixels that pictures need, for `decode`: `SPARE` times what is looked
        at, as a decoder shrinks by another filter than the warp's."""
        return SPARE * self.short_side

    @property
    def short_side(self) -> int:
        """Pixels of the short side of the picture that the view is cut from."""
        height, width = self.sides
        if height == width:
            return self.resize or height
        return round((self.resize or 1) / min(self.sides) * max(self.sides))

    def warp(self, picture: tuple[int, int]) -> Warp:
        """The warp for pictures of (width, height)."""
        return _warp(self, picture)

    def __call__(self, source: Source) -> NDArray[np.float32]:
        """A picture, its pixels, its file or the file's content to float32 (C, H, W)."""
        out = np.empty(self.shape, np.float32)
        self.write(self._pixels(source), out)
        return out

    def batch(self, sources: Iterable[Source]) -> NDArray[np.float32]:
        """Several pictures to float32 (N, C, H, W)."""
        sources = list(sources)
        images = np.empty((len(sources), *self.shape), np.float32)
        for source, out in zip(sources, images, strict=True):
            self.write(self._pixels(source), out)
        return images

    def write(
        self,
        pixels: Pixels,
        out: NDArray[Any],
        seed: int = 0,
        epoch: int = 0,
        index: int = 0,
    ) -> None:
        """Write the view of `pixels` to `out`; nothing is random, so the numbers play no part."""
        warp = self.warp(size_of(pixels))
        if self.channels == 3:
            apply(pixels, warp, out)
        else:  # the warp makes three channels, which are all grey
            out[:] = apply(pixels, warp, np.empty((3, *self.sides), out.dtype))[:1]

    def _pixels(self, source: Source) -> NDArray[np.uint8]:
        if isinstance(source, np.ndarray):
            return source
        return self.decode(source).pixels

    def decode(self, source: Picture | Path | str | bytes) -> Picture:
        """A picture file, or its content, at the size and with the range that this needs."""
        if isinstance(source, Picture):
            return source
        return decode(source, min_side=self.min_side, value_range=self.value_range)


@lru_cache(maxsize=1024)
def _warp(preprocess: Preprocess, picture: tuple[int, int]) -> Warp:
    height, width = preprocess.sides
    frame = Frame(*picture)
    border = "reflect"
    if preprocess.crop == "squash":
        frame.resize(width, height)
        frame.steps.append(f"squash to {width}×{height}")
    elif preprocess.crop == "pad":
        frame.fit((height, width), "pad")
        frame.steps.append("pad to a square" if height == width else f"pad to {width}×{height}")
        border = "fill"
    elif height == width:
        resize = preprocess.short_side
        center_crop(frame, resize, height)
        frame.steps.append(f"short side {resize}, middle {height}×{height}")
    else:
        cover_crop(frame, preprocess.sides, (preprocess.resize or 1) / min(preprocess.sides))
        frame.steps.append(f"middle {width}×{height}")
    if preprocess.channels == 1:
        frame.color[:] = np.array(LUMA) @ frame.color
    return finish(
        frame,
        preprocess.size,
        preprocess.crop,
        picture,
        mean=_three(preprocess.mean),
        std=_three(preprocess.std),
        border=border,
    )


def _three(values: tuple[float, ...]) -> Color:
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    return red, green, blue


def cover_crop(frame: Frame, sides: tuple[int, int], share: float) -> None:
    """Resize to `share` times the smallest picture that covers the sides; take its middle."""
    height, width = sides
    scale = share * max(width / frame.width, height / frame.height)
    grown = (
        max(side, round(scale * old))
        for side, old in ((width, frame.width), (height, frame.height))
    )
    frame.resize(*grown)
    x, y = round((frame.width - width) / 2), round((frame.height - height) / 2)
    frame.crop(x, y, width, height)


def center_crop(frame: Frame, resize: int, size: int) -> None:
    """The usual pipeline: whole sizes and offsets, as torchvision's Resize and CenterCrop."""
    resize_short(frame, resize)
    x, y = round((frame.width - size) / 2), round((frame.height - size) / 2)
    frame.crop(x, y, size, size)


def resize_short(frame: Frame, short: int) -> None:
    """Resize so that the short side has `short` pixels and the long side a whole number."""
    width, height = frame.width, frame.height
    if width <= height:
        frame.resize(short, max(short, int(short * height / width)))
    else:
        frame.resize(max(short, int(short * width / height)), short)
