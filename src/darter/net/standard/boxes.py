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
