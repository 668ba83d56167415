"""What makes pictures larger or smaller: pad and resize."""

from dataclasses import replace

import numpy as np

from darter.errors import ModelFileError, UnsupportedError
from darter.net.graph import Node
from darter.net.translate.attributes import distinct_axes, integer, listed, number, text
from darter.net.translate.context import Translation, unite

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)


def pad(net: Translation, source: Node) -> None:
    x = net.dims(source.inputs[0])[0]
    pads, value, axes = (net.constant(source, place) for place in (1, 2, 3))
    if net.opset < 11:
        pads, value = listed(source, "pads"), np.array(number(source, "value", 0.0))
    if pads is None:
        raise ModelFileError("does not say how far")
    amounts = [int(each) for each in pads.ravel()]
    places = distinct_axes(range(len(x)) if axes is None else axes.ravel(), len(x))
    if len(amounts) != 2 * len(places):
        raise ModelFileError(f"{len(amounts)} pads for {len(places)} axes")
    full = [0] * (2 * len(x))
    for i, axis in enumerate(places):
        full[axis], full[axis + len(x)] = amounts[i], amounts[i + len(places)]
    mode = text(source, "mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise UnsupportedError(f"mode {mode[:30]!r} is not supported")
    fill = 0.0 if value is None else float(value.ravel()[0])
    if not any(full):
        net.alias(source)
        return
    if len(x) != 4 or any(full[axis] for axis in (0, 1, 4, 5)):
        raise UnsupportedError(f"pads {full} of {x}: only rows and columns of (N, C, H, W)")
    net.emit(
        "Pad", source, source.inputs[:1], source.output, pads=tuple(full), mode=mode, value=fill
    )


def upsample(net: Translation, source: Node) -> None:
    """Resize as it was before version 11, and Upsample, as today's Resize.

    Pixels were placed by their corners; "nearest" rounded up where a picture shrinks, else down.
    """
    if len(source.inputs) < 2:  # Upsample before version 9
        scales = np.array(source.attributes.get("scales", ()), np.float32)
        source = replace(source, inputs=(source.inputs[0], net.weight(source, "scales", scales)))
    given = net.constant(source, 1)
    factors = () if given is None else tuple(given.ravel().tolist())
    shrinks = min(factors, default=1) < 1
    mode = text(source, "mode", "nearest")
    if shrinks and max(factors) > 1 and mode == "nearest":
        raise UnsupportedError("makes one side larger and the other smaller")
    newer = source.with_attributes(
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="ceil" if shrinks else "floor",
    )
    resize(net, replace(newer, inputs=(source.inputs[0], "", source.inputs[1])))


def resize(net: Translation, source: Node) -> None:
    if net.opset < 11 and len(source.inputs) == 2:
        upsample(net, source)
        return
    shape = net.shape(source.inputs[0])
    if len(shape) != 4:
        raise UnsupportedError(f"works on (N, C, H, W) only; its input has rank {len(shape)}")
    policy = text(source, "keep_aspect_ratio_policy", "stretch")
    if integer(source, "antialias", 0) or policy != "stretch":
        raise UnsupportedError("antialias and keeping the aspect ratio are not supported")
    scales, sizes = net.constant(source, 2), net.sizes(source, 3)
    if "axes" in source.attributes:
        if distinct_axes(source.attributes["axes"], 4) != (2, 3):
            raise UnsupportedError("resizes other axes than H and W, or these in another order")
        scales = None if scales is None or not scales.size else np.concatenate(([1, 1], scales))
        if sizes is not None and any(sizes):
            first, second = (dims[:2] for dims in net.dims(source.inputs[0]))
            sizes = ((*first, *sizes[0]), (*second, *sizes[1]))
    hw = [int(size or 0) for size in shape[2:]]
    sized = sizes is not None and len(sizes[0]) > 0
    if sizes is not None and sized:
        target = unite(*sizes)
        if len(target) != 4 or target[:2] != shape[:2]:
            raise UnsupportedError(f"resizes {shape} to {target}; only H and W may change")
        size = tuple(int(each or 0) for each in target[2:])
        factors = [
            float(np.float32(new) / np.float32(old)) for new, old in zip(size, hw, strict=True)
        ]
    elif scales is not None and scales.size == 4 and list(scales[:2]) == [1, 1]:
        factors = [float(np.float32(each)) for each in scales[2:]]
        if not all(0 < each < 2**16 for each in factors):
            raise ModelFileError(f"scales {factors} cannot be meant")
        size = tuple(_scaled(old, each) for old, each in zip(hw, factors, strict=True))
    else:
        raise UnsupportedError("needs sizes, or scales that leave pictures and channels alone")
    if list(size) == hw:  # ONNX Runtime and PyTorch copy, whatever the scales
        net.alias(source)
        return
    coordinates = text(source, "coordinate_transformation_mode", "half_pixel")
    whole = all(old * each == new for old, each, new in zip(hw, factors, size, strict=True))
    if coordinates not in COORDINATES or (coordinates == "align_corners" and not (sized or whole)):
        raise UnsupportedError(f"coordinates {coordinates[:30]!r} are not supported for {factors}")
    mode = text(source, "mode", "nearest")
    nearest = text(source, "nearest_mode", "round_prefer_floor")
    net.emit(
        "Resize",
        source,
        source.inputs[:1],
        source.output,
        size=size,
        scales=tuple(factors),
        mode=mode,
        coordinates=coordinates,
        nearest=nearest,
        cubic=number(source, "cubic_coeff_a", -0.75),
        exclude_outside=bool(integer(source, "exclude_outside", 0)),
    )


def _scaled(old: int, factor: float) -> int:
    """floor(old * factor) in float32: 10 pixels times 1.3 are 13, though float32's 1.3 is less."""
    return int(np.float32(old) * np.float32(factor))
