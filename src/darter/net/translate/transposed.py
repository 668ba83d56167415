"""Transposed convolutions, and channels that become pixels or pixels channels."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.shapes import LARGEST_SIDE
from darter.net.translate.attributes import integer, integers, text
from darter.net.translate.context import Translation

Two = tuple[int, ...]


def conv_transpose(net: Translation, source: Node) -> None:
    """As a convolution that gives all pixels of a stride × stride square as channels.

    Output pixel o of a line is the sum of x[i] w[o + pad - i stride]. With o + pad = q stride + p
    it is, for each p, an ordinary convolution over i with every stride-th weight from p on.
    """
    x, w = source.inputs[0], net.constant(source, 1)
    if w is None or w.ndim != 4 or len(net.shape(x)) != 4:
        raise UnsupportedError("works on (N, C, H, W) with constant filters only")
    group = integer(source, "group", 1)
    if group < 1 or w.shape[0] % group:
        raise ModelFileError(f"{group} groups of {w.shape[0]} channels")
    strides, dilations = (
        integers(source, "strides", (1, 1), 2),
        integers(source, "dilations", (1, 1), 2),
    )
    if min(*strides, *dilations, *w.shape) < 1 or max(*strides, *dilations) > LARGEST_SIDE:
        raise ModelFileError(f"strides {strides}, dilations {dilations} or no filters")
    hw = [int(size or 0) for size in net.shape(x)[2:]]
    reach = tuple((k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True))
    before, out = _extent(source, hw, reach, strides)
    taps = tuple(ceil(r / s) for r, s in zip(reach, strides, strict=True))
    lead = tuple(b // s for b, s in zip(before, strides, strict=True))  # squares that nobody sees
    lead = tuple(min(skip, t - 1) for skip, t in zip(lead, taps, strict=True))
    crop = tuple(b - skip * s for b, skip, s in zip(before, lead, strides, strict=True))
    squares = tuple(ceil((c + o) / s) for c, o, s in zip(crop, out, strides, strict=True))
    pads_before = tuple(t - 1 - skip for t, skip in zip(taps, lead, strict=True))
    made = [n + p - t + 1 for n, p, t in zip(hw, pads_before, taps, strict=True)]
    pads_after = tuple(max(0, s - m) for s, m in zip(squares, made, strict=True))
    filters = _filters(np.asarray(w, np.float32), group, strides, dilations, taps)
    bias = net.constant(source, 2)
    channels = w.shape[1] * group
    bias = np.zeros(channels, np.float32) if bias is None else bias
    square = strides[0] * strides[1]
    bias = np.repeat(bias, square) if group > 1 else np.tile(bias, square)
    names = net.weight(source, "filters", filters), net.weight(source, "bias", bias)
    name = net.emit(
        "Conv",
        source,
        (x, *names),
        net.between(source, "squares"),
        pads=(*pads_before, *pads_after),
        group=group,
    )
    if square > 1:
        name = net.emit(
            "DepthToSpace",
            source,
            (name,),
            net.between(source, "pixels"),
            square=strides,
            channels_first=group > 1,
        )
    height, width = (int(size or 0) for size in net.shape(name)[2:])
    ends = (out[0] + crop[0] - height, out[1] + crop[1] - width)
    pads = (0, 0, -crop[0], -crop[1], 0, 0, *ends)
    if any(pads):
        net.emit("Pad", source, (name,), source.output, pads=pads, mode="constant", value=0.0)
    else:
        net.rename(source, name)


def _extent(source: Node, hw: list[int], reach: Two, strides: Two) -> tuple[Two, Two]:
    """Pixels cut off before the output, and its sides."""
    extra = integers(source, "output_padding", (0, 0), 2)
    full = [s * (n - 1) + e + r for s, n, e, r in zip(strides, hw, extra, reach, strict=True)]
    auto, shape = text(source, "auto_pad", "NOTSET"), source.attributes.get("output_shape")
    if shape is None and auto in ("NOTSET", "VALID"):
        pads = integers(source, "pads", (0, 0, 0, 0), 4) if auto == "NOTSET" else (0, 0, 0, 0)
        sizes = tuple(f - pads[i] - pads[i + 2] for i, f in enumerate(full))
        before = tuple(pads[:2])
    else:
        same = tuple(n * s for n, s in zip(hw, strides, strict=True))
        sizes = integers(source, "output_shape", same)[-2:]
        if shape is None and any(f < size for f, size in zip(full, sizes, strict=True)):
            raise UnsupportedError(f"{full} pixels are not enough for {sizes}; runtimes disagree")
        total = [max(0, f - size) for f, size in zip(full, sizes, strict=True)]
        before = tuple(t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total)
    if min(*before, *sizes, 1) < 0 or not all(0 < size <= LARGEST_SIDE for size in sizes):
        raise ModelFileError(f"gives {sizes} pixels, {before} cut off; that cannot be meant")
    return before, sizes


def _filters(
    w: NDArray[np.float32], group: int, strides: Two, dilations: Two, taps: Two
) -> NDArray[np.float32]:
    """(C, K / group, R, S) -> (K squares, C / group, taps): a filter for each place in a square."""
    c, k = w.shape[:2]
    spread = np.zeros((c, k, taps[0] * strides[0], taps[1] * strides[1]), np.float32)
    rows, columns = ((n - 1) * d + 1 for n, d in zip(w.shape[2:], dilations, strict=True))
    spread[:, :, : rows : dilations[0], : columns : dilations[1]] = w
    apart = spread.reshape(group, c // group, k, taps[0], strides[0], taps[1], strides[1])
    apart = apart[:, :, :, ::-1, :, ::-1]  # a convolution counts taps the other way
    # (group, k, place) keeps groups together; of (place, k), whole blocks of channels become pixels
    order = (0, 2, 4, 6, 1, 3, 5) if group > 1 else (4, 6, 0, 2, 1, 3, 5)
    return np.ascontiguousarray(apart.transpose(order)).reshape(-1, c // group, *taps)


def depth_to_space(net: Translation, source: Node) -> None:
    side, mode = integer(source, "blocksize", 0), text(source, "mode", "DCR")
    net.emit(
        "DepthToSpace",
        source,
        source.inputs[:1],
        source.output,
        square=(side, side),
        channels_first=mode == "CRD",
    )


def space_to_depth(net: Translation, source: Node) -> None:
    """Every side-th pixel from each place of a square on, joined as channels."""
    x, side = source.inputs[0], integer(source, "blocksize", 0)
    shape, mode = net.shape(x), text(source, "mode", "DCR")
    if len(shape) != 4 or not 1 <= side <= 64 or any((size or 0) % side for size in shape[2:]):
        raise ModelFileError(f"{shape} cannot be cut into squares of {side} pixels")
    parts = []
    for row in range(side):
        for column in range(side):
            part = x
            for axis, start in ((2, row), (3, column)):
                name = net.between(source, f"{row}.{column}.{axis}")
                cut = {"axis": axis, "start": start, "stop": shape[axis], "step": side}
                part = net.emit("Slice", source, (part,), name, **cut)
            parts.append(part)
    joined = source.output if mode == "DCR" else net.between(source, "joined")
    net.emit("Concat", source, parts, joined, axis=1)
    if mode == "CRD":
        order = np.arange((shape[1] or 0) * side**2).reshape(side**2, -1).T.ravel().tolist()
        net.emit("Take", source, (joined,), source.output, axis=1, places=tuple(order))
