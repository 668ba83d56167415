"""The slow, obvious warp in float64: the truth that every instruction set is tested against."""

import numpy as np


def border_index(index, length, border):
    """Source pixel for an index outside 0..length-1; -1 where the fill color is meant."""
    index = np.clip(index, -length, 2 * length - 1)
    inside = np.clip(index, 0, length - 1)
    if border == "edge":
        return inside
    if border == "fill":
        return np.where(index == inside, index, -1)
    return np.where(index < 0, -1 - index, np.where(index >= length, 2 * length - 1 - index, index))


def take(picture, indices, axis, border, fill):
    """Pixels at any index along one axis, the border rule applied."""
    source = border_index(indices, picture.shape[axis], border)
    taken = np.take(picture, source, axis=axis).astype(np.float64)
    if border == "fill":
        taken = np.moveaxis(taken, axis, 0)
        taken[source < 0] = fill
        taken = np.moveaxis(taken, 0, axis)
    return taken


def triangle(picture, axis, count, scale, offset, border, fill):
    """Antialiased bilinear along one axis: output k looks at scale * (k + 0.5) + offset."""
    length = picture.shape[axis]
    support = min(max(abs(scale), 1.0), float(length))
    out = []
    for k in range(count):
        center = np.clip(scale * (k + 0.5) + offset, -length, 2 * length)
        first = int(np.ceil(center - support - 0.5))
        last = int(np.floor(center + support - 0.5))
        taps = np.arange(first, last + 1)
        weights = np.maximum(0.0, 1 - np.abs(taps + 0.5 - center) / support)
        pixels = take(picture, taps, axis, border, fill)
        out.append(np.tensordot(weights / weights.sum(), pixels, axes=(0, axis)))
    return np.stack(out, axis=axis)


def box(picture, axis, origin, pitch, count, border, fill):
    """Averages over [origin + k * pitch, origin + (k + 1) * pitch) along one axis."""
    out = []
    for k in range(count):
        start, end = origin + k * pitch, origin + (k + 1) * pitch
        taps = np.arange(int(np.floor(start)), int(np.ceil(end)))
        weights = np.minimum(taps + 1, end) - np.maximum(taps, start)
        pixels = take(picture, taps, axis, border, fill)
        out.append(np.tensordot(weights / weights.sum(), pixels, axes=(0, axis)))
    return np.stack(out, axis=axis)


def map_points(x, y, homography, lens):
    """Output point to input point: first the lens, then the homography."""
    if lens is not None:
        cx, cy, radius, k1, k2 = lens
        r2 = ((x - cx) ** 2 + (y - cy) ** 2) / radius**2
        factor = 1 + k1 * r2 + k2 * r2 * r2
        x, y = cx + (x - cx) * factor, cy + (y - cy) * factor
    h = np.asarray(homography, np.float64)
    with np.errstate(all="ignore"):
        w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
        return (
            (h[0, 0] * x + h[0, 1] * y + h[0, 2]) / w,
            (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / w,
        )


GRID = 17


def _clamp(value, low, high):
    return np.where(value > low, np.minimum(value, high), low)  # NaN becomes low


def level_axis(values, difference_x, difference_y, length, budget):
    """Origin, pitch and count of the level's pixels along one axis."""
    low, high = -float(length), 2.0 * length
    values = _clamp(values, low, high)
    step = _clamp(np.sqrt(difference_x**2 + difference_y**2), 0.0, float(length))
    scale = np.sqrt(np.mean(step**2))
    first, last = max(low, values.min() - 2 - scale), min(high, values.max() + 2 + scale)
    origin = np.floor(first + 1e-6)
    pitch = max(1.0, np.sqrt(2 / 3) * scale, (last - origin) / budget)
    return origin, pitch, max(2, int(np.ceil((last - origin) / pitch)) + 1)


def warp_general(picture, shape, homography, lens, border, fill):
    height, width = shape
    budget = 4.0 * (height + width) + 64
    gx, gy = np.meshgrid(np.linspace(0, width, GRID), np.linspace(0, height, GRID), indexing="xy")
    u, v = map_points(gx, gy, homography, lens)
    half = 0.5
    right, left = (map_points(gx + d, gy, homography, lens) for d in (half, -half))
    down, up = (map_points(gx, gy + d, homography, lens) for d in (half, -half))
    with np.errstate(all="ignore"):
        level_x = level_axis(u, right[0] - left[0], down[0] - up[0], picture.shape[1], budget)
        level_y = level_axis(v, right[1] - left[1], down[1] - up[1], picture.shape[0], budget)
    level = box(picture, 0, *level_y, border, fill)
    level = box(level, 1, *level_x, border, fill)
    level = np.floor(level + 0.5)

    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5, indexing="xy")
    u, v = map_points(x, y, homography, lens)
    u = _clamp((u - level_x[0]) / level_x[1] - 0.5, 0.0, level_x[2] - 1.0)
    v = _clamp((v - level_y[0]) / level_y[1] - 0.5, 0.0, level_y[2] - 1.0)
    i = np.minimum(np.floor(u), level_x[2] - 2).astype(int)
    j = np.minimum(np.floor(v), level_y[2] - 2).astype(int)
    fx, fy = (u - i)[..., None], (v - j)[..., None]
    top = level[j, i] * (1 - fx) + level[j, i + 1] * fx
    bottom = level[j + 1, i] * (1 - fx) + level[j + 1, i + 1] * fx
    return top * (1 - fy) + bottom * fy


def warp_reference(
    picture, shape, homography, color, low, high, lens=None, border="reflect", fill=(0, 0, 0)
):
    """(3, height, width) float64; arguments as in `darter.kernels.warp`."""
    h = np.asarray(homography, np.float64).reshape(3, 3)
    straight = h[0, 1] == h[1, 0] == h[2, 0] == h[2, 1] == 0
    bent = lens is not None and (lens[3] != 0 or lens[4] != 0)
    if straight and not bent:
        h = h / h[2, 2]
        pixels = triangle(picture, 0, shape[0], h[1, 1], h[1, 2], border, fill)
        pixels = triangle(pixels, 1, shape[1], h[0, 0], h[0, 2], border, fill)
    else:
        pixels = warp_general(picture, shape, h, lens if bent else None, border, fill)
    color = np.asarray(color, np.float64).reshape(3, 4)
    out = np.einsum("kc,yxc->kyx", color[:, :3], pixels) + color[:, 3, None, None]
    bound = [np.asarray(b, np.float64)[:, None, None] for b in (low, high)]
    return np.clip(out, *bound)
