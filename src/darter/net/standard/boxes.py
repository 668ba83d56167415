"""The ends of detectors as ONNX writes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from darter.net.graph import Node
from darter.net.standard.draft import Draft
from darter.net.standard.elementwise import FLOAT

INT64 = 7  # ONNX's number of the type


def top_places(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """TopK's second output, as a float."""
    whole, count = draft.between(node.output), draft.integers(node.output, [given["count"]])
    values = draft.between(node.output)
    draft.emit_many(
        "TopK",
        (*node.inputs, count),
        (values, whole),
        axis=int(given["axis"]),
        largest=int(not given["least"]),
    )
    draft.emit("Cast", (whole,), node.output, to=FLOAT)


def gather_along(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    x, places = node.inputs
    whole = draft.between(node.output)
    draft.emit("Cast", (places,), whole, to=INT64)
    draft.emit("GatherElements", (x, whole), node.output, axis=int(given["axis"]))


def keep_boxes(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """Ones, scattered into zeros at the places that NonMaxSuppression lists."""
    owner, (boxes, scores) = node.output, node.inputs
    kept, zeros, count, ones = (draft.between(owner) for _ in range(4))
    limits = (
        draft.integers(owner, [given["most"]]),
        draft.floats(owner, [given["overlap"]]),
        draft.floats(owner, [given["least"]]),
    )
    middles = int(given["middles"])
    draft.emit("NonMaxSuppression", (boxes, scores, *limits), kept, center_point_box=middles)
    draft.emit("Mul", (scores, draft.floats(owner, np.zeros(1))), zeros)
    draft.emit("Shape", (kept,), count, start=0, end=1)
    draft.emit("Expand", (draft.floats(owner, np.ones(1)), count), ones)
    draft.emit("ScatterND", (zeros, kept, ones), owner)


def align_regions(draft: Draft, node: Node, given: Mapping[str, Any]) -> None:
    """RoiAlign on the boxes of all pictures one below the other, each with its picture's number."""
    owner, (x, boxes) = node.output, node.inputs
    count, channels = draft.shape(boxes)[1] or 1, draft.shape(x)[1] or 1
    rows, pictures, column, numbers, repeated, told, made = (draft.between(owner) for _ in range(7))
    draft.emit("Reshape", (boxes, draft.integers(owner, [-1, 4])), rows)
    draft.emit("Shape", (boxes,), pictures, start=0, end=1)
    scalar = draft.between(owner)
    draft.emit("Squeeze", (pictures,), scalar)
    zero, one = draft.whole(owner, np.int64(0)), draft.whole(owner, np.int64(1))
    draft.emit("Range", (zero, scalar, one), numbers)
    draft.emit("Unsqueeze", (numbers, draft.integers(owner, [1])), column)
    draft.emit("Expand", (column, draft.integers(owner, [1, count])), repeated)
    draft.emit("Reshape", (repeated, draft.integers(owner, [-1])), told)
    height, width = given["bins"]
    draft.emit(
        "RoiAlign",
        (x, rows, told),
        made,
        output_height=height,
        output_width=width,
        sampling_ratio=int(given["samples"]),
        spatial_scale=float(given["scale"]),
        mode="max" if given["maximum"] else "avg",
        coordinate_transformation_mode="half_pixel" if given["half_pixel"] else "output_half_pixel",
    )
    shape = draft.integers(owner, [-1, count, channels, height, width])
    draft.emit("Reshape", (made, shape), owner)
