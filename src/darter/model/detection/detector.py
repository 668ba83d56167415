"""A detector's file in use: pictures in, what is in them out; large pictures in tiles."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from darter.errors import DarterError, ModelFileError, OptionError, UnsupportedError
from darter.model.detection.found import Detections, Found
from darter.model.detection.suppress import suppress
from darter.model.info import ModelInfo, read_info
from darter.model.predict import Picturelike, as_pixels, named_source
from darter.model.session import load
from darter.picture import Warp, apply, boxes_back, decode

TILE_OVERLAP = 0.2  # share of a tile's side that its neighbour sees, too
EDGE = 2.0  # pixels from an inner edge of a tile within which a box was cut
BATCH = 8


class Runs(Protocol):
    """What runs the net: `Session`, or what makes a foreign file look like darter's own."""

    @property
    def runtime(self) -> str: ...

    @property
    def precision(self) -> str: ...

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """(N, K, 6): x0, y0, x1, y1 in pixels of the input, score, class; score 0 fills up."""


@dataclass(frozen=True)
class Detector:
    """Finds things in pictures. Made by `load_detector`; safe to share between threads."""

    session: Runs
    info: ModelInfo

    @property
    def thresholds(self) -> tuple[float, ...]:
        """For each class, the score from which it is said to be there."""
        return self.info.calibration.thresholds or (0.3,) * len(self.info.classes)

    def detect(
        self,
        sources: Iterable[Picturelike] | Path | str | bytes,
        *,
        least: float | None = None,
        tiles: int = 1,
        most: int = 300,
    ) -> Iterator[Detections]:
        """What is in each picture, in their order; a picture that cannot be read has an `error`.

        least: the score from which on things are told, instead of the model's own for each class.
        tiles: large pictures are looked at in so many parts along their longer side, which
            overlap, and once as a whole; what several of them see is told once.
        """
        if not 1 <= tiles <= 64:
            raise OptionError(f"tiles must be from 1 to 64; got {tiles}")
        if least is not None and not 0 <= least <= 1:
            raise OptionError(f"the least score must lie in [0, 1]; got {least}")
        if isinstance(sources, str | bytes | Path):
            sources = [sources]
        for number, source in enumerate(sources, 1):
            name, given = named_source(source, number)
            try:
                pixels = _pixels(given)
                rows = self.rows(pixels, tiles)
            except DarterError as error:
                yield Detections(name, error=str(error).removeprefix(f"{name}: "))
                continue
            size = (pixels.shape[1], pixels.shape[0])
            yield Detections(name, size, self._told(rows, least)[:most])

    def rows(self, pixels: NDArray[np.uint8], tiles: int = 1) -> NDArray[np.float64]:
        """(D, 6) of class, score and corners in pixels of the picture, whatever the score."""
        size = (pixels.shape[1], pixels.shape[0])
        places = [(0, 0, *size)] + (tiled(size, tiles) if tiles > 1 else [])
        found = []
        for start in range(0, len(places), BATCH):
            some = places[start : start + BATCH]
            parts = [pixels[y0:y1, x0:x1] for x0, y0, x1, y1 in some]
            for place, rows in zip(some, self._look(parts), strict=True):
                found.append(_placed(rows, place, size))
        rows = np.concatenate(found)
        if len(places) > 1:
            rows = rows[suppress(rows[:, 2:], rows[:, 1], rows[:, 0], most=len(rows))]
        return rows

    def _look(self, parts: list[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        """(D, 6) of class, score and corners in pixels of each part."""
        preprocess = self.info.preprocess
        images = np.empty((len(parts), *preprocess.shape), np.float32)
        warps: list[Warp] = []
        for part, out in zip(parts, images, strict=True):
            warps.append(preprocess.warp((part.shape[1], part.shape[0])))
            apply(part, warps[-1], out)
        output = self.session.run(images)
        answers = _checked(output, len(parts))
        rows = []
        for answer, warp in zip(answers, warps, strict=True):
            answer = answer[answer[:, 4] > 0].astype(np.float64)
            corners = boxes_back(warp, answer[:, :4])
            known = answer[:, 5] < len(self.info.classes)
            rows.append(np.column_stack((answer[:, 5], answer[:, 4], corners))[known])
        return rows

    def _told(self, rows: NDArray[np.float64], least: float | None) -> tuple[Found, ...]:
        limits = np.array(self.thresholds if least is None else [least] * len(self.info.classes))
        sure = rows[rows[:, 1] >= limits[rows[:, 0].astype(int)]]
        sure = sure[np.argsort(-sure[:, 1], kind="stable")]
        return tuple(
            Found(self.info.classes[int(label)], score, (x0, y0, x1, y1))
            for label, score, x0, y0, x1, y1 in sure.tolist()
        )


def load_detector(
    path: Path | str, *, runtime: str = "auto", precision: str | None = None,
    threads: int | None = None,
) -> Detector:  # fmt: skip
    """A model file that finds things. ModelFileError, with the right command, for any other."""
    info = read_info(path)
    if info.task != "detect":
        command = "caption" if info.task == "caption" else "predict"
        raise ModelFileError(
            f"{path} does not find things in pictures, it was trained to {info.task}: use "
            f"`darter {command}`"
        )
    first = "darter" if runtime == "auto" else runtime
    try:
        return Detector(load(path, runtime=first, precision=precision, threads=threads), info)
    except UnsupportedError:
        if runtime != "auto":
            raise
        return Detector(load(path, runtime="onnxruntime", threads=threads), info)


def tiled(size: tuple[int, int], tiles: int) -> list[tuple[int, int, int, int]]:
    """Overlapping parts (x0, y0, x1, y1) that cover a picture: square, `tiles` along the longer
    side."""
    longest = max(size)
    side = int(np.ceil(longest / (tiles - (tiles - 1) * TILE_OVERLAP)))
    columns, rows = (_starts(length, side) for length in size)
    width, height = (min(side, length) for length in size)
    return [(x, y, x + width, y + height) for y in rows for x in columns]


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP)) - 1e-9)) + 1
    return np.linspace(0, length - side, count).round().astype(int).tolist()


def _placed(
    rows: NDArray[np.float64], place: Sequence[int], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Boxes of a part in the picture's pixels, without those that the part's inner edges cut: the
    neighbour, or the whole picture, shows them uncut."""
    x0, y0, x1, y1 = place
    rows = rows.copy()
    rows[:, 2:] += (x0, y0, x0, y0)
    low, high = rows[:, 2:4], rows[:, 4:6]
    cut = ((low < (x0 + EDGE, y0 + EDGE)) & (np.array((x0, y0)) > 0)).any(axis=1)
    cut |= ((high > (x1 - EDGE, y1 - EDGE)) & (np.array((x1, y1)) < size)).any(axis=1)
    return rows[~cut]


def _checked(
    output: NDArray[np.float32] | list[NDArray[np.float32]], pictures: int
) -> NDArray[np.float32]:
    if isinstance(output, list) or output.ndim != 3 or output.shape[::2] != (pictures, 6):
        raise ModelFileError("the model's output is not (pictures, boxes, 6) as a detector's is")
    if not np.isfinite(output).all():
        raise ModelFileError("the model's boxes are no numbers (NaN); its weights may be damaged")
    return output


def _pixels(source: object) -> NDArray[np.uint8]:
    given = as_pixels(source)
    return given if isinstance(given, np.ndarray) else decode(given).pixels
