"""Same picture twice: equal pixels, or nearly equal ones (resized, recompressed, cropped a bit)."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

THUMBNAIL = 32  # pixels
HASH_DISTANCE = 12  # of 64 bits: generous, only picks the pairs that are looked at closely
CORRELATION = 0.97
BLOCK = 2048


def pixel_digest(pixels: np.ndarray, size: tuple[int, int]) -> str:
    """Digest of decoded pixels, uint8 (H, W, 3), and of the full (width, height)."""
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data)
    digest.update(repr((pixels.shape, size)).encode())
    return digest.hexdigest()[:32]


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Grey uint8 (THUMBNAIL, THUMBNAIL) of a uint8 (H, W, 3) picture; the shape is squeezed."""
    from PIL import Image

    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def perceptual_hashes(thumbnails: np.ndarray) -> np.ndarray:
    """pHash: uint64 (N,) of uint8 (N, THUMBNAIL, THUMBNAIL).

    Signs of the 8x8 lowest frequencies against their median.
    Source: Zauner, Implementation and benchmarking of perceptual image hash functions, 2010.
    """
    at = (np.arange(THUMBNAIL) + 0.5) * np.pi / THUMBNAIL
    waves = np.cos(np.arange(1, 9)[:, None] * at).astype(np.float32)
    low = (waves @ thumbnails.astype(np.float32) @ waves.T).reshape(len(thumbnails), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)[:, 0]


def same_digest(digests: Sequence[str]) -> list[tuple[int, ...]]:
    """Groups of two or more indices with equal digests, in order."""
    groups: dict[str, list[int]] = {}
    for index, digest in enumerate(digests):
        groups.setdefault(digest, []).append(index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def near_duplicate_pairs(thumbnails: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Pairs (i, j), i < j, of nearly equal pictures, int64 (P, 2).

    thumbnails: uint8 (N, THUMBNAIL, THUMBNAIL).   shapes: width / height, (N,).
    """
    hashes = perceptual_hashes(thumbnails)
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    signs = bits.astype(np.float32) * 2 - 1
    enough = 64 - 2 * HASH_DISTANCE
    flat = thumbnails.reshape(len(thumbnails), -1)
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(signs), BLOCK):
        rows = signs[start : start + BLOCK]
        for other in range(start, len(signs), BLOCK):
            i, j = np.nonzero(rows @ signs[other : other + BLOCK].T >= enough)
            i, j = i + start, j + other
            i, j = i[i < j], j[i < j]
            for at in range(0, len(i), BLOCK):
                a, b = i[at : at + BLOCK], j[at : at + BLOCK]
                near = _nearly_equal(flat[a], flat[b], shapes[a], shapes[b])
                found.append(np.stack([a[near], b[near]], axis=1))
    return np.concatenate(found)


def _nearly_equal(
    a: np.ndarray, b: np.ndarray, shape_a: np.ndarray, shape_b: np.ndarray
) -> np.ndarray:
    a, b = a.astype(np.float32), b.astype(np.float32)
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    energy = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    correlation = (a * b).sum(axis=1) / np.maximum(energy, 1e-6)
    return (correlation >= CORRELATION) & (np.abs(np.log(shape_a / shape_b)) < 0.1)


def connected(count: int, links: Iterable[Sequence[int]]) -> np.ndarray:
    """Component number of each of `count` things; the things within one link belong together.

    int64 (count,), numbered from 0 in order of first appearance.
    """
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for link in links:
        first = root(link[0])
        for other in link[1:]:
            parent[root(other)] = first
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(i), len(numbers)) for i in range(count)], np.int64)
