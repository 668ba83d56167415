"""The gradients of a convolution as the chain rule says, in float64."""

import numpy as np

from darter.conv import ConvSpec


def _taps(spec: ConvSpec):
    """(tap row, tap column, the pixels of the padded image that it sees, as slices)."""
    for i in range(spec.w[2]):
        for j in range(spec.w[3]):
            starts = i * spec.dilation[0], j * spec.dilation[1]
            yield (
                i,
                j,
                *(
                    slice(start, start + (size - 1) * step + 1, step)
                    for start, size, step in zip(starts, spec.out_hw, spec.stride, strict=True)
                ),
            )


def input_gradient_reference(spec: ConvSpec, dy, w):
    """Each output's gradient goes back to the pixels that it saw."""
    (n, c, height, width), (top, left, bottom, right) = spec.x, spec.padding
    per_group, filters = c // spec.groups, spec.w[0] // spec.groups
    dx = np.zeros((n, spec.groups, per_group, height + top + bottom, width + left + right))
    dy = dy.astype(np.float64).reshape(n, spec.groups, filters, *spec.out_hw)
    w = w.astype(np.float64).reshape(spec.groups, filters, per_group, *spec.w[2:])
    for i, j, rows, columns in _taps(spec):
        dx[..., rows, columns] += np.einsum("ngkhw,gkc->ngchw", dy, w[..., i, j])
    return dx.reshape(n, c, *dx.shape[3:])[:, :, top : top + height, left : left + width]


def filter_gradient_reference(spec: ConvSpec, x, dy):
    """Each weight's gradient is the sum over what it multiplied."""
    (n, c, _, _), (top, left, bottom, right) = spec.x, spec.padding
    per_group, filters = c // spec.groups, spec.w[0] // spec.groups
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    x = x.reshape(n, spec.groups, per_group, *x.shape[2:])
    dy = dy.astype(np.float64).reshape(n, spec.groups, filters, *spec.out_hw)
    dw = np.zeros((spec.groups, filters, per_group, *spec.w[2:]))
    for i, j, rows, columns in _taps(spec):
        dw[..., i, j] = np.einsum("ngchw,ngkhw->gkc", x[..., rows, columns], dy)
    return dw.reshape(spec.w)
