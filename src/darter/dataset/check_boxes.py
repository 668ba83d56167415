"""Boxes held against their picture: what cannot be meant is mended or left out, and named."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darter.dataset.boxes import Box, Boxes, Captions, Corners, Flaw
from darter.dataset.sample import Target

SAME = 0.95  # overlap (intersection over union) from which two boxes are one
WHOLE = 0.98  # share of the picture
TINY = 0.015  # share of the picture's longer side: 6 pixels of an input of 416
LEAST = 1e-3  # pixels; a thinner box has no area
FEW = 3  # boxes that a finding lists


def check_target(
    target: Target, size: tuple[int, int], orientation: int
) -> tuple[Target, list[Flaw]]:
    """The target as it can be learned, and what was wrong with it.

    size: (width, height) of the upright picture.   orientation: EXIF's, of the file.
    """
    if isinstance(target, Captions):
        empty = [("no captions", "nothing is said of it")] if not target.sentences else []
        return target, [*target.flaws, *empty]
    if not isinstance(target, Boxes):
        return target, []
    flaws = list(target.flaws)
    boxes = list(target.boxes)
    if target.relative:
        boxes = [_moved(box, _scaled(box.corners, *size)) for box in boxes]
    boxes = _upright(boxes, target, size, orientation, flaws)
    boxes = _within(boxes, size, flaws)
    boxes = _once(boxes, flaws)
    if not boxes and not target.flaws and not flaws:
        flaws.append(("no boxes", "nothing is marked in it"))
    _note_sizes(boxes, size, flaws)
    return Boxes(tuple(boxes), size), flaws


def _moved(box: Box, corners: Corners) -> Box:
    return replace(box, corners=corners)


def _scaled(corners: Corners, x: float, y: float) -> Corners:
    x0, y0, x1, y1 = corners
    return x0 * x, y0 * y, x1 * x, y1 * y


def _upright(
    boxes: list[Box], target: Boxes, size: tuple[int, int], orientation: int, flaws: list[Flaw]
) -> list[Box]:
    """Boxes in the coordinates of the upright picture."""
    width, height = size
    told = target.size
    if told is None or told == size:
        turned = orientation > 1 and (told is None or orientation < 5 or width == height)
        if turned and boxes:
            flaws.append(("boxes unsure", "taken as drawn on the picture after it was turned"))
        return boxes
    if told == (height, width) and orientation >= 5:
        flaws.append(("boxes rotated", f"drawn on {told[0]}×{told[1]}, before it was turned"))
        return [_moved(box, turn(box.corners, told, orientation)) for box in boxes]
    said = f"it speaks of {told[0]}×{told[1]}, the picture has {width}×{height}"
    if abs(told[0] * height - told[1] * width) <= max(width, height):
        flaws.append(("other size", f"{said}; its boxes were scaled"))
        return [_moved(b, _scaled(b.corners, width / told[0], height / told[1])) for b in boxes]
    flaws.append(("other shape", f"{said}; its boxes are used as they are"))
    return boxes


def turn(corners: Corners, size: tuple[int, int], orientation: int) -> Corners:
    """A box of the picture as it lies in the file, (width, height), on the upright one."""
    w, h = size
    x0, y0, x1, y1 = corners
    move = {
        2: lambda x, y: (w - x, y),
        3: lambda x, y: (w - x, h - y),
        4: lambda x, y: (x, h - y),
        5: lambda x, y: (y, x),
        6: lambda x, y: (h - y, x),
        7: lambda x, y: (h - y, w - x),
        8: lambda x, y: (y, w - x),
    }.get(orientation, lambda x, y: (x, y))
    (a, b), (c, d) = move(x0, y0), move(x1, y1)
    return min(a, c), min(b, d), max(a, c), max(b, d)


def _within(boxes: list[Box], size: tuple[int, int], flaws: list[Flaw]) -> list[Box]:
    """Corners in order and inside the picture; boxes without area left out."""
    kept = []
    reversed_, beyond, outside, flat = [], [], [], []
    for box in boxes:
        x0, y0, x1, y1 = box.corners
        if x1 < x0 or y1 < y0:
            reversed_.append(box)
            x0, y0, x1, y1 = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
        if x1 - x0 < LEAST or y1 - y0 < LEAST:
            flat.append(box)
            continue
        cut = max(0.0, x0), max(0.0, y0), min(float(size[0]), x1), min(float(size[1]), y1)
        if cut[2] - cut[0] < LEAST or cut[3] - cut[1] < LEAST:
            outside.append(box)
            continue
        if max(abs(a - b) for a, b in zip(cut, (x0, y0, x1, y1), strict=True)) > 1.5:
            beyond.append(box)
        kept.append(_moved(box, cut))
    for kind, found, what in (
        ("box reversed", reversed_, "corners put in order"),
        ("box without area", flat, "left out"),
        ("box outside", outside, "left out, no part of it is in the picture"),
        ("box beyond the edge", beyond, "cut at the edge"),
    ):
        if found:
            flaws.append((kind, f"{_listed(found)}: {what}"))
    return kept


def _once(boxes: list[Box], flaws: list[Flaw]) -> list[Box]:
    """Boxes of one class that lie on each other count once; of two classes, both stay."""
    if len(boxes) < 2:
        return boxes
    corners = np.array([box.corners for box in boxes])
    same = np.triu(overlaps(corners, corners) > SAME, 1)
    doubled: set[int] = set()
    contrary: set[int] = set()
    for first, second in np.argwhere(same).tolist():
        (doubled if boxes[first].label == boxes[second].label else contrary).add(second)
    contrary -= doubled
    for kind, found in (("box doubled", doubled), ("one box, two classes", contrary)):
        if found:
            flaws.append((kind, _listed([boxes[k] for k in sorted(found)])))
    return [box for k, box in enumerate(boxes) if k not in doubled]


def _note_sizes(boxes: list[Box], size: tuple[int, int], flaws: list[Flaw]) -> None:
    sides = [(b.corners[2] - b.corners[0], b.corners[3] - b.corners[1]) for b in boxes]
    tiny = [b for b, s in zip(boxes, sides, strict=True) if max(s) < TINY * max(size)]
    whole = [b for b, (w, h) in zip(boxes, sides, strict=True) if w * h > WHOLE * size[0] * size[1]]
    if tiny:
        flaws.append(("tiny object", f"{_listed(tiny)}: too small to be seen at the usual input"))
    if whole:
        flaws.append(("box of all", f"{_listed(whole)}: the box is the whole picture"))


def _listed(boxes: Iterable[Box]) -> str:
    boxes = list(boxes)
    shown = [f"{b.label} ({', '.join(f'{c:.5g}' for c in b.corners)})" for b in boxes[:FEW]]
    more = f" and {len(boxes) - FEW} more" if len(boxes) > FEW else ""
    return ", ".join(shown) + more


def overlaps(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """Intersection over union (A, B) of boxes (A, 4) and (B, 4); 0 where neither has area."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a, area_b = (np.prod(np.clip(c[:, 2:] - c[:, :2], 0, None), axis=1) for c in (a, b))
    union = area_a[:, None] + area_b[None] - both
    return np.divide(both, union, out=np.zeros(union.shape), where=union > 0)
