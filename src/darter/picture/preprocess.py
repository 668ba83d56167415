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
from darter.picture.ranges import as_number
from darter.picture.warp import IMAGENET_MEAN, IMAGENET_STD, Color, Warp, apply, finish

Source = Path | str | bytes | Picture | NDArray[np.uint8]


@dataclass(frozen=True)
class Preprocess:
    """Antialiased resize, crop and normalization: the noiseless case of the augmentation warp.

    size: side of the square output.
    resize: pixels of the short side before the crop "center"; None means size * 256 / 224.
    crop: "center" cuts the middle of the resized picture; "squash" resizes all of it to a square;
        "pad" fits all of it in, with the mean color beside it.
    mean, std: normalization of colors in [0, 1].

    >>> Preprocess(size=224)(pixels).shape
    (3, 224, 224)
    """

    size: int = 224
    resize: int | None = None
    crop: str = "center"
    mean: Color = IMAGENET_MEAN
    std: Color = IMAGENET_STD

    def __post_init__(self) -> None:
        check_output(self.size, self.mean, self.std)
        object.__setattr__(self, "size", int(self.size))
        object.__setattr__(self, "mean", tuple(float(v) for v in self.mean))
        object.__setattr__(self, "std", tuple(float(v) for v in self.std))
        if self.crop not in CROPS:
            raise OptionError(
                f"preprocess: crop must be one of {', '.join(CROPS)}, got {self.crop!r}"
            )
        resize = self.resize
        if resize is None:
            resize = round(self.size * 256 / 224) if self.crop == "center" else self.size
        object.__setattr__(self, "resize", int(as_number("preprocess", "resize", resize, 1, 65536)))
        if self.crop == "center" and resize < self.size:
            raise OptionError(
                f"preprocess: resize must be at least size ({self.size}), got {resize}"
            )

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values, for `from_dict`."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
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
        """Short side in pixels that pictures need, for `decode`."""
        return self.resize or self.size

    def warp(self, picture: tuple[int, int]) -> Warp:
        """The warp for pictures of (width, height)."""
        return _warp(self, picture)

    def __call__(self, source: Source) -> NDArray[np.float32]:
        """A picture, its pixels, its file or the file's content to float32 (3, size, size)."""
        pixels = self._pixels(source)
        return apply(pixels, self.warp((pixels.shape[1], pixels.shape[0])))

    def batch(self, sources: Iterable[Source]) -> NDArray[np.float32]:
        """Several pictures to float32 (N, 3, size, size)."""
        sources = list(sources)
        images = np.empty((len(sources), 3, self.size, self.size), np.float32)
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
        apply(pixels, self.warp(size_of(pixels)), out)

    def _pixels(self, source: Source) -> NDArray[np.uint8]:
        if isinstance(source, np.ndarray):
            return source
        if isinstance(source, Picture):
            return source.pixels
        return decode(source, min_side=self.min_side).pixels


@lru_cache(maxsize=1024)
def _warp(preprocess: Preprocess, picture: tuple[int, int]) -> Warp:
    size, resize = preprocess.size, preprocess.min_side
    frame = Frame(*picture)
    border = "reflect"
    if preprocess.crop == "squash":
        frame.resize(size, size)
        frame.steps.append(f"squash to {size}×{size}")
    elif preprocess.crop == "pad":
        frame.fit(size, "pad")
        frame.steps.append("pad to a square")
        border = "fill"
    else:
        center_crop(frame, resize, size)
        frame.steps.append(f"short side {resize}, middle {size}×{size}")
    return finish(
        frame,
        size,
        preprocess.crop,
        picture,
        mean=preprocess.mean,
        std=preprocess.std,
        border=border,
    )


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
