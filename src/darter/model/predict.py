"""Pictures in, predictions out: decoding in threads while the net runs, in constant memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.errors import DarterError, DataError
from darter.files import refuse_url
from darter.machine import available_cpus
from darter.model.info import ModelInfo
from darter.picture import Look, decode, make_look

MOST_BATCH_BYTES = 1 << 29  # 16 pictures of 1670 x 1670
Picturelike = Path | str | bytes | np.ndarray | tuple[str, Any]
Answer = tuple[str, NDArray | str, tuple[str, ...]]  # name, logits or why not, notes


def stream_logits(
    run: Callable[[NDArray], NDArray],
    info: ModelInfo,
    sources: Iterable[Picturelike],
    *,
    batch_size: int,
    threads: int | None = None,
    look: Look | None = None,
    merge: Callable[[NDArray], NDArray] | None = None,
) -> Iterator[Answer]:
    """Name, logits (classes,) or why there are none, and notes, for every source, in order.

    notes: what was converted or is odd about a picture file, as in `darter.picture.Picture`.

    look: shows each picture several times, decoded once; `merge` makes one row of the rows that
    `run` gives for them. By default one look, whose row is the answer.
    At most three batches of pictures are in memory, however many sources there are, and none has
    more than MOST_BATCH_BYTES.
    """
    look = look or make_look((), info.preprocess)
    merge = merge or _only
    picture_bytes = 4 * prod(info.preprocess.shape) * len(look)
    batch_size = max(1, min(-(-batch_size // len(look)), MOST_BATCH_BYTES // picture_bytes))
    numbered = iter(enumerate(sources, 1))
    pool = ThreadPoolExecutor(threads or available_cpus(), thread_name_prefix="darter-decode")

    def submit(count: int) -> Iterator[tuple[str, Future]]:
        for number, source in islice(numbered, count):
            name, picture = named_source(source, number)
            yield name, pool.submit(_prepare, info, look, name, picture)

    try:
        ahead = deque(submit(2 * batch_size))
        while ahead:
            batch = [ahead.popleft() for _ in range(min(batch_size, len(ahead)))]
            names, ready = [name for name, _ in batch], [future.result() for _, future in batch]
            ahead.extend(submit(len(batch)))  # decoded while the net runs
            images = [x for x, _ in ready if not isinstance(x, str)]
            rows = run(np.concatenate(images)) if images else np.empty(0)
            scores = iter(rows.reshape(len(images), len(look), *rows.shape[1:]))
            for name, (x, notes) in zip(names, ready, strict=True):
                yield name, x if isinstance(x, str) else _checked(next(scores), merge), notes
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _only(rows: NDArray) -> NDArray:
    (row,) = rows
    return row


def _checked(rows: NDArray, merge: Callable[[NDArray], NDArray]) -> NDArray | str:
    """What the scores of one picture come to, or why they are no answer."""
    if np.isnan(rows).any() or not np.isfinite(rows.reshape(len(rows), -1).max(axis=1)).all():
        return "the model's scores are no numbers (NaN or infinite); its weights may be damaged"
    return merge(rows)


def named_source(source: Picturelike, number: int) -> tuple[str, object]:
    """What answers call a source, and the picture itself."""
    if isinstance(source, tuple):
        return source
    if isinstance(source, (str, Path)):
        return str(source), Path(source)
    return f"picture {number}", source


Prepared = tuple[NDArray[np.float32] | str, tuple[str, ...]]


def _prepare(info: ModelInfo, look: Look, name: str, source: object) -> Prepared:
    """The net's input for one picture, or why there is none (one bad picture stops nothing); and
    what is odd about it."""
    try:
        pixels = as_pixels(source)
        if isinstance(pixels, np.ndarray):
            return look(pixels), ()
        picture = decode(pixels, min_side=look.min_side, value_range=info.preprocess.value_range)
        return look(picture.pixels), picture.notes
    except DarterError as error:
        return str(error).removeprefix(f"{name}: "), ()


def as_pixels(source: object) -> Path | str | bytes | NDArray[np.uint8]:
    """What `Preprocess` takes, of anything that may be meant as a picture."""
    if isinstance(source, (Path, str)):
        refuse_url(source)
    if isinstance(source, (Path, bytes, str)):
        return source
    array = _from_pillow(source) if hasattr(source, "convert") else source
    if not isinstance(array, np.ndarray):
        raise DataError(
            "a picture is a path, the bytes of a file, a uint8 array (H, W, 3) or an image of "
            f"Pillow; got {type(source).__name__}"
        )
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise DataError(
            "a picture as an array must be uint8 (H, W, 3), RGB; "
            f"got {array.dtype} {tuple(array.shape)}"
        )
    return np.ascontiguousarray(array)


def _from_pillow(image: Any) -> NDArray[np.uint8]:
    from PIL import ImageOps

    try:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:  # Pillow reads the file only now
        raise DataError(f"cannot be decoded: {error}") from error
