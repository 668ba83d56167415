"""Batches of pictures with their boxes, both moved by one coordinate map; mosaics of four."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.dataset.batch import Batch
from darter.dataset.boxes import Boxes
from darter.dataset.cache import PictureCache
from darter.dataset.feed import Feed
from darter.dataset.loader import Loader
from darter.errors import DarterError, DataError
from darter.picture import (
    Augment,
    Frame,
    Pixels,
    Preprocess,
    Transform,
    Warp,
    apply,
    draws,
    finish,
    move_boxes,
    random_frame,
    size_of,
)

NO_BOX = -1.0  # class of the rows that fill a picture's table up
LEAST_SHARE = 0.3  # of a box that must be seen for it to be looked for
LEAST_SIDE = 2.0  # pixels of the input; less shows nothing
_MOSAIC = 2  # stream of random numbers; 0 draws warps, 1 shuffles


@dataclass(frozen=True)
class BoxViews:
    """How pictures with boxes are seen: in training through `transforms`, or as they are.

    sides: height and width of the input.   transforms: none for validation.
    mosaic: share of views that are made of four pictures around a random point.
    Source: Bochkovskiy et al., arXiv:2004.10934 (mosaic).
    """

    preprocess: Preprocess
    transforms: tuple[Transform, ...] = ()
    mosaic: float = 0.0

    @classmethod
    def from_dict(
        cls, spec: Mapping[str, Mapping[str, Any]], preprocess: Preprocess, mosaic: float
    ) -> "BoxViews":
        """From named transforms as `Augment.from_dict` takes them."""
        side = max(preprocess.sides)
        transforms = Augment.from_dict(spec, side, mean=preprocess.mean, std=preprocess.std)
        return cls(preprocess, transforms.transforms, mosaic)

    @property
    def sides(self) -> tuple[int, int]:
        return self.preprocess.sides

    @property
    def side(self) -> int:
        return max(self.sides)

    @property
    def min_side(self) -> int:
        """Short side in pixels that pictures need, for `decode`."""
        nearest = [step.scale[1] for step in self.transforms if isinstance(step, random_frame)]
        return round(min(self.sides) * max((1.0, *nearest)))

    def warp(
        self, seed: int, epoch: int, index: int, picture: tuple[int, int], sides: tuple[int, int]
    ) -> Warp:
        """The warp of one picture to an output of these sides, drawn by number."""
        if not self.transforms:
            return self.preprocess.warp(picture)
        draw = draws(seed, epoch, index)
        frame = Frame(*picture)
        for step in self.transforms:
            if step.p >= 1 or draw.random() < step.p:
                step.compose(frame, draw, max(sides))
        mean, std = self.preprocess.mean, self.preprocess.std
        return finish(frame, sides, "pad", picture, mean=mean, std=std, border="fill")

    def write(self, pixels: Pixels, out: NDArray[Any], seed: int, epoch: int, index: int) -> None:
        """Only `BoxLoader` writes these: what is seen of a picture may need three others."""
        raise NotImplementedError


def as_table(targets: Sequence[Boxes], classes: Sequence[str]) -> NDArray[np.float32]:
    """float32 (N, most boxes, 6): class, x0, y0, x1, y1 in pixels, 1 for spare; filled up with
    rows of class NO_BOX. Boxes of other classes are left out."""
    number = {label: k for k, label in enumerate(classes)}
    most = max((len(target.boxes) for target in targets), default=0)
    table = np.full((len(targets), max(1, most), 6), NO_BOX, np.float32)
    for rows, target in zip(table, targets, strict=True):
        known = [box for box in target.boxes if box.label in number]
        for row, box in zip(rows, known, strict=False):
            row[:] = (number[box.label], *box.corners, box.spare)
    return table


class BoxLoader(Loader):
    """Prefetching batches of pictures and boxes.

    boxes: (N, most, 6) from `as_table`, of pictures of `sizes` (N, 2), width and height. A
        batch's targets are (n, most, 6) in pixels of the input;
        four times as many rows where mosaics are drawn.
    """

    def __init__(
        self,
        samples: Sequence[Path | str],
        boxes: NDArray[np.float32],
        sizes: NDArray[np.int64],
        views: BoxViews,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        channels_last: bool = False,
        cache: PictureCache | None = None,
    ) -> None:
        self.boxes, self.sizes, self.views = boxes, sizes, views
        rows = boxes.shape[1] * (4 if views.mosaic else 1)
        super().__init__(
            samples,
            np.full((len(samples), rows, boxes.shape[2]), NO_BOX, np.float32),
            views,
            batch_size,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            channels_last=channels_last,
            cache=cache,
        )

    def _fill(self, batch: Batch, position: int, epoch: int, feed: Feed | None) -> None:
        index = int(batch.indices[position])
        out, target = batch.images[position], batch.targets[position]
        draw = draws(self.seed, epoch, index, stream=_MOSAIC)
        if draw.random() >= self.views.mosaic:
            found = [self._one(out, epoch, index, index)]
        else:
            found = self._four(out, epoch, index, draw)
        rows = np.concatenate(found)[: len(target)]
        target[: len(rows)] = rows
        target[len(rows) :] = NO_BOX

    def _four(
        self, out: NDArray[Any], epoch: int, index: int, draw: np.random.Generator
    ) -> list[NDArray[np.float32]]:
        """Four pictures around a random point of the output, this one among them."""
        height, width = out.shape[1:]
        x, y = (round(side * draw.uniform(0.3, 0.7)) for side in (width, height))
        others = draw.integers(0, len(self.samples), 3).tolist()
        parts = ((0, y, 0, x), (0, y, x, width), (y, height, 0, x), (y, height, x, width))
        found = []
        for number, ((top, bottom, left, right), which) in enumerate(
            zip(parts, (index, *others), strict=True)
        ):
            part = out[:, top:bottom, left:right]
            rows = self._one(part, epoch, which, index + number * len(self.samples))
            rows[:, 1:5] += (left, top, left, top)
            found.append(rows)
        return found

    def _one(self, out: NDArray[Any], epoch: int, index: int, drawn: int) -> NDArray[np.float32]:
        """Write the view number `drawn` of a picture; the rows of its boxes there."""
        name = str(self.samples[index])
        try:
            pixels = self._pixels(index, None)
            height, width = out.shape[1:]
            warp = self.views.warp(self.seed, epoch, drawn, size_of(pixels), (height, width))
            apply(pixels, warp, out)
        except DarterError as error:
            raise error if name in str(error) else DataError(f"{name}: {error}") from error
        rows = self.boxes[index]
        rows = rows[rows[:, 0] >= 0].copy()
        read = np.array(size_of(pixels)) / self.sizes[index]  # a JPEG may be read at half its size
        moved, shares = move_boxes(warp, rows[:, 1:5] * np.tile(read, 2))
        rows[:, 1:5] = moved
        seen = shares >= LEAST_SHARE
        large = np.min(moved[:, 2:] - moved[:, :2], axis=1) >= LEAST_SIDE
        return rows[seen & large]
