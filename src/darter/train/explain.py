"""Where a classifier looked: thumbnails and Grad-CAM heat maps for the report.

record = explain(model, last_block(backbone), preprocess, samples, predictions, RUN, classes=names)
write_json(RUN / "explain.json", record)
"""

import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darter.dataset import Sample
from darter.errors import DataError
from darter.files import write_atomic
from darter.picture import Warp
from darter.train.heat_maps import grad_cam, overlay, positions

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL = 360  # pixels of the long side
QUALITY = 82  # of the JPEGs
Record = dict[str, Any]


class View(Protocol):
    """What is asked of a `darter.picture.Preprocess`."""

    @property
    def min_side(self) -> int: ...

    @property
    def value_range(self) -> tuple[float, float] | None: ...
    def warp(self, picture: tuple[int, int]) -> Warp: ...
    def __call__(self, source: Any) -> NDArray[np.float32]: ...


def explain(
    model: nn.Module,
    block: nn.Module | None,
    preprocess: View,
    samples: Sequence[Sample],
    predictions: Sequence[Mapping[str, Any]],
    out: Path,
    *,
    classes: Sequence[str],
    mistakes: int = 24,
    correct: int = 8,
    prefix: str = "",
    batch_size: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Draw the worst mistakes and a few right answers into OUT/pictures; the record names them.

    model: float32 (N, 3, size, size) -> logits (N, classes).   block: its last feature map, see
        `last_block`; None draws no heat maps.
    samples, predictions: one each per picture, in one order. A sample has a `path`; a prediction
        "path" (as the report names it), "label", "predicted" and "confidence", or, of several
        labels per picture, lists under "labels" and "predicted".
    prefix: of the pictures' file names, where OUT gets those of several parts.
    Returns {"mistakes": [...], "samples": [...]}, each a prediction with "picture" and "heatmap",
    relative to OUT, the most confident mistakes first. A picture that has become unreadable has
    an "error" instead.
    """
    if len(samples) != len(predictions):
        raise ValueError(f"explain: {len(samples)} samples but {len(predictions)} predictions")
    chosen = {
        "mistakes": worst_mistakes(predictions)[:mistakes],
        "samples": right_answers(predictions)[:correct],
    }
    todo = [(kind, rank, at) for kind, ranked in chosen.items() for rank, at in enumerate(ranked)]
    record: Record = {kind: [] for kind in chosen}
    for start in range(0, len(todo), batch_size):
        batch = todo[start : start + batch_size]
        pictures = [_decode(samples[at].path, preprocess) for _, _, at in batch]
        usable = [k for k, picture in enumerate(pictures) if isinstance(picture, np.ndarray)]
        maps: dict[int, NDArray[np.float32]] = {}
        if block is not None and usable:
            views = torch.from_numpy(np.stack([preprocess(pictures[k]) for k in usable]))
            asked = [classes.index(_shown_class(predictions[batch[k][2]])) for k in usable]
            maps = dict(zip(usable, grad_cam(model, block, views, asked), strict=True))
        for k, ((kind, rank, at), picture) in enumerate(zip(batch, pictures, strict=True)):
            entry = dict(predictions[at])
            if isinstance(picture, np.ndarray):
                name = f"pictures/{prefix}{kind}-{rank:03}"
                entry |= _save(out, name, picture, preprocess, maps.get(k))
            else:
                entry |= {"picture": None, "heatmap": None, "error": str(picture)}
            record[kind].append(entry)
        if progress:
            progress(start + len(batch), len(todo))
    return record


def worst_mistakes(predictions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Indices of the wrong predictions, the most confident first."""
    wrong = [k for k, p in enumerate(predictions) if not _is_right(p)]
    return sorted(
        wrong, key=lambda k: (predictions[k].get("rightness", 0), -predictions[k]["confidence"], k)
    )


def right_answers(predictions: Sequence[Mapping[str, Any]]) -> list[int]:
    """Indices of the right predictions: one of every class, then a second of every class, …"""
    seen: defaultdict[str, int] = defaultdict(int)
    turns = []
    for k, p in enumerate(predictions):
        if _is_right(p):
            kind = p["label"] if "label" in p else " ".join(p["labels"])
            turns.append((seen[kind], kind, k))
            seen[kind] += 1
    return [k for _, _, k in sorted(turns)]


def _is_right(prediction: Mapping[str, Any]) -> bool:
    """Whether it names the true class, or all labels and no other."""
    if "label" in prediction:
        return prediction["predicted"] == prediction["label"]
    return set(prediction["predicted"]) == set(prediction["labels"])


def _shown_class(prediction: Mapping[str, Any]) -> str:
    """The class whose evidence is drawn: the one that was named; of several labels a wrong one,
    where there is one, the likeliest otherwise."""
    if "label" in prediction:
        return prediction["predicted"]
    wrong = [label for label in prediction["predicted"] if label not in prediction["labels"]]
    return wrong[0] if wrong else prediction["top"][0][0]


def _decode(path: Path, view: View) -> NDArray[np.uint8] | DataError:
    """The pixels, or why there are none."""
    from darter.picture import decode

    try:
        return decode(path, min_side=view.min_side, value_range=view.value_range).pixels
    except DataError as error:
        return error


def _save(
    out: Path,
    name: str,
    pixels: NDArray[np.uint8],
    preprocess: View,
    heat: NDArray[np.float32] | None,
) -> Record:
    from PIL.Image import Resampling, fromarray

    height, width = pixels.shape[:2]
    shrink = min(1.0, THUMBNAIL / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = fromarray(pixels).resize(size, Resampling.LANCZOS)
    files: Record = {"picture": f"{name}.jpg", "heatmap": None}
    write_atomic(out / files["picture"], _jpeg(small))
    if heat is not None:
        seen = positions(size, (width, height), preprocess.warp((width, height)))
        files["heatmap"] = f"{name}-heat.jpg"
        drawn = overlay(np.asarray(small), heat, seen)
        write_atomic(out / files["heatmap"], _jpeg(fromarray(drawn)))
    return files


def _jpeg(image: "Image") -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
