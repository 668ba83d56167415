"""What detectors do with boxes, in plain numpy."""

import math

import numpy as np


def keep_boxes(given, boxes, scores):
    kept = np.zeros_like(scores)
    if given["middles"]:
        half = boxes[..., 2:] / 2
        boxes = np.concatenate((boxes[..., :2] - half, boxes[..., :2] + half), axis=-1)
    low, high = (
        np.minimum(boxes[..., :2], boxes[..., 2:]),
        np.maximum(boxes[..., :2], boxes[..., 2:]),
    )
    area = (high - low).prod(axis=-1)
    for n, c in np.ndindex(scores.shape[:2]):
        for k in np.argsort(-scores[n, c], kind="stable"):
            rivals = np.flatnonzero(kept[n, c])
            if len(rivals) >= given["most"] or not scores[n, c, k] > given["least"]:
                continue
            sides = np.minimum(high[n, rivals], high[n, k]) - np.maximum(low[n, rivals], low[n, k])
            both = np.clip(sides, 0, None).prod(axis=-1)
            every = area[n, rivals] + area[n, k] - both
            overlap = np.divide(both, every, out=np.zeros_like(both), where=every > 0)
            kept[n, c, k] = not (overlap > given["overlap"]).any()
    return kept


def align_regions(given, x, boxes):
    """Sample by sample, as ONNX defines it."""
    rows, columns = given["bins"]
    offset = 0.5 if given["half_pixel"] else 0.0
    y = np.zeros((*boxes.shape[:2], x.shape[1], rows, columns), x.dtype)
    for n, r in np.ndindex(boxes.shape[:2]):
        x0, y0, x1, y1 = boxes[n, r] * given["scale"] - offset
        size = np.array([y1 - y0, x1 - x0])
        if not given["half_pixel"]:
            size = np.maximum(size, 1.0)
        step = size / (rows, columns)
        counts = [given["samples"] or max(0, math.ceil(each)) for each in step]
        for row, column in np.ndindex(rows, columns):
            samples = [
                _bilinear(x[n], y0 + (row + (i + 0.5) / counts[0]) * step[0],
                          x0 + (column + (j + 0.5) / counts[1]) * step[1])
                for i, j in np.ndindex(*counts)
            ]  # fmt: skip
            if samples and given["maximum"]:
                y[n, r, :, row, column] = np.max(samples, axis=(0, 1))
            elif samples:
                y[n, r, :, row, column] = np.mean(np.sum(samples, axis=1), axis=0)
    return y


def _bilinear(x, row, column):
    """(4, C): the four pixels around a place, each times its weight; zeros beside the picture."""
    height, width = x.shape[1:]
    if not (-1 <= row <= height and -1 <= column <= width):
        return np.zeros((4, len(x)))
    (top, below, down), (left, right, across) = (
        (int(at), min(int(at) + 1, size - 1), at - int(at) if at < size - 1 else 0.0)
        for at, size in ((min(max(row, 0), height - 1), height),
                         (min(max(column, 0), width - 1), width))
    )  # fmt: skip
    return np.array([
        (1 - down) * (1 - across) * x[:, top, left], (1 - down) * across * x[:, top, right],
        down * (1 - across) * x[:, below, left], down * across * x[:, below, right],
    ])  # fmt: skip
