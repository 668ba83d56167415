"""Weights rounded so that a layer's outputs, not its weights, are as near as can be.

Weights are rounded one after the other; what each adds of error to the outputs is taken off by
those that are not rounded yet, as least squares says.
Source: Frantar et al., "GPTQ", arXiv:2210.17323.
"""

import numpy as np
from numpy.typing import NDArray

DAMPING = 0.01  # of the mean diagonal: inputs that never vary have no say


def least_squares(
    rows: NDArray[np.floating],
    scale: NDArray[np.floating],
    top: int,
    moments: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Whole numbers q of about rows / scale, (groups, filters, inputs), within ±top.

    rows: (groups, filters, inputs).   scale: (groups, filters).   moments: (groups, inputs,
    inputs) of the inputs; with the identity, each weight is rounded to the nearest.
    """
    inputs = rows.shape[2]
    diagonal = np.diagonal(moments, axis1=1, axis2=2)
    damping = DAMPING * diagonal.mean(axis=1) + 1e-12
    order = np.argsort(-diagonal, axis=1, kind="stable")  # what varies most is rounded first
    ordered = np.take_along_axis(moments, order[:, :, None], axis=1)
    ordered = np.take_along_axis(ordered, order[:, None, :], axis=2)
    ordered += damping[:, None, None] * np.eye(inputs)
    # The upper factor of the inverse: its rows say how an error is spread over what is left.
    spread = np.linalg.cholesky(np.linalg.inv(ordered)).transpose(0, 2, 1)
    left = np.take_along_axis(rows.astype(np.float64), order[:, None, :], axis=2)
    q = np.empty_like(left)
    for k in range(inputs):
        q[:, :, k] = np.clip(np.rint(left[:, :, k] / scale), -top, top)
        error = (left[:, :, k] - q[:, :, k] * scale) / spread[:, k, k, None]
        left[:, :, k + 1 :] -= error[:, :, None] * spread[:, None, k, k + 1 :]
    found = np.empty_like(q)
    np.put_along_axis(found, np.broadcast_to(order[:, None, :], q.shape), q, axis=2)
    return found
