"""What a two-stage detector does with boxes, as operations that keep their name in an export.

PyTorch's own answers have as many rows as there are boxes left, which no file of fixed shapes can
say. These have one row per box, and a mask.
"""

from collections.abc import Callable
from typing import Any

import torch
import torchvision
from torch import Tensor


@torch.library.custom_op("darter::kept_boxes", mutates_args=())
def kept_boxes(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """(N, P), 1 for each box that stays where boxes overlap by more than `overlap`, else 0.

    boxes: (N, P, 4), corners.   scores: (N, P), above 0 for boxes that are there.
    """
    kept = torch.zeros_like(scores)
    for mask, corners, score in zip(kept, boxes, scores, strict=True):
        mask[torchvision.ops.nms(corners, score, overlap)] = 1
    return kept * (scores > 0)


@kept_boxes.register_fake
def _(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    return torch.empty_like(scores)


@torch.library.custom_op("darter::regions", mutates_args=())
def regions(x: Tensor, boxes: Tensor, bins: int, scale: float, samples: int) -> Tensor:
    """(N, R, C * bins * bins): RoIAlign of R boxes of each picture.

    x: (N, C, H, W).   boxes: (N, R, 4), corners in pixels; scale: pixels of x for one of those.
    samples: of each bin along each axis.
    """
    found = torchvision.ops.roi_align(x, list(boxes), bins, scale, samples)
    return found.reshape(*boxes.shape[:2], -1)


@regions.register_fake
def _(x: Tensor, boxes: Tensor, bins: int, scale: float, samples: int) -> Tensor:
    return x.new_empty((*boxes.shape[:2], x.shape[1] * bins * bins))


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For `torch.onnx.export`: each of these operations in ONNX's, of version 18."""
    from onnxscript import opset18

    op: Any = opset18

    def write_kept_boxes(boxes: Any, scores: Any, overlap: float) -> Any:
        """NonMaxSuppression's list, scattered as ones into zeros."""
        row = op.Unsqueeze(scores, op.Constant(value_ints=[1]))
        listed = op.NonMaxSuppression(
            boxes,
            row,
            op.Constant(value_ints=[1 << 30]),
            op.Constant(value_floats=[overlap]),
            op.Constant(value_floats=[0.0]),
        )
        ones = op.Expand(op.Constant(value_floats=[1.0]), op.Shape(listed, start=0, end=1))
        zeros = op.Mul(row, op.Constant(value_floats=[0.0]))
        return op.Squeeze(op.ScatterND(zeros, listed, ones), op.Constant(value_ints=[1]))

    def write_regions(x: Any, boxes: Any, bins: int, scale: float, samples: int) -> Any:
        """RoiAlign takes boxes one below the other, each with the number of its picture."""
        rows = op.Reshape(boxes, op.Constant(value_ints=[-1, 4]))
        counts = op.Shape(boxes, start=0, end=2)
        pictures = op.Squeeze(op.Shape(boxes, start=0, end=1))
        numbers = op.Range(op.Constant(value_int=0), pictures, op.Constant(value_int=1))
        column = op.Unsqueeze(numbers, op.Constant(value_ints=[1]))
        owners = op.Reshape(op.Expand(column, counts), op.Constant(value_ints=[-1]))
        found = op.RoiAlign(
            x,
            rows,
            owners,
            coordinate_transformation_mode="output_half_pixel",
            output_height=bins,
            output_width=bins,
            sampling_ratio=samples,
            spatial_scale=scale,
        )
        shape = op.Concat(counts, op.Constant(value_ints=[-1]), axis=0)
        return op.Reshape(found, shape)

    return {
        torch.ops.darter.kept_boxes.default: write_kept_boxes,
        torch.ops.darter.regions.default: write_regions,
    }
