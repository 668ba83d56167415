"""Same picture twice: equal pixels, or nearly equal ones (resized, recompressed, cropped a bit)."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

THUMBNAIL = 32  # pixels
FREQUENCIES = 10  # along each axis: fewer confuse digits, more miss copies cropped by 2%
NOISE = 2.0  # grey levels
STAND_OUT = 0.25  # a copy is 4 times closer than a picture's nearest neighbor usually is,
LIMITS = (0.85, 0.97)  # within these bounds
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

    One bit for each of 64 low frequencies: whether it lies above their median.
    Source: Zauner, Implementation and benchmarking of perceptual image hash functions, 2010.
    """
    low = _low_frequencies(thumbnails, 9).reshape(-1, 9, 9)[:, 1:, 1:].reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)[:, 0]


def same_digest(digests: Sequence[str]) -> list[tuple[int, ...]]:
    """Groups of two or more indices with equal digests, in order."""
    groups: dict[str, list[int]] = {}
    for index, digest in enumerate(digests):
        groups.setdefault(digest, []).append(index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def descriptors(thumbnails: np.ndarray) -> np.ndarray:
    """float32 (N, FREQUENCIES**2) whose dot products tell how alike two pictures are, at most 1.

    Low frequencies of the picture, without what all pictures of the collection have in common and
    divided by how much each frequency varies in it: what remains is what tells them apart, so
    that two scans of a digit are less alike than two copies of a photo. A picture almost without
    contrast gets a short vector, as its details are noise.
    """
    low = _low_frequencies(thumbnails, FREQUENCIES)
    low[:, 0] = 0  # brightness
    count = len(low)
    common = low.mean(axis=0) * (count / (count + 20))  # of few pictures the mean says little
    own = low - common
    energy = np.square(own).sum(axis=1, keepdims=True)
    own /= np.sqrt(np.square(own).mean(axis=0) + 8.0**2)
    length = np.sqrt(np.square(own).sum(axis=1, keepdims=True))
    trust = energy / (energy + low.shape[1] * NOISE**2)
    return (own * (np.sqrt(trust) / np.maximum(length, 1e-6))).astype(np.float32)


def near_duplicate_groups(thumbnails: np.ndarray) -> list[tuple[int, ...]]:
    """Groups of two or more indices of nearly equal pictures, in order; chains belong together.

    thumbnails: uint8 (N, THUMBNAIL, THUMBNAIL), without equal pictures. The limit adapts to the
    collection: a pair must stand out from how alike its pictures are anyway.
    Measured by bench/near_duplicates.py. Time: N² products of short vectors, 50,000 in seconds.
    """
    described = descriptors(thumbnails)
    limit = similarity_limit(described)
    parent = np.arange(len(described))
    for start in range(0, len(described), BLOCK):
        rows = described[start : start + BLOCK]
        for other in range(start, len(described), BLOCK):
            i, j = np.nonzero(rows @ described[other : other + BLOCK].T >= limit)
            ordered = i + start < j + other
            if ordered.any():
                parent = _join(parent, i[ordered] + start, j[ordered] + other)
    members: dict[int, list[int]] = {}
    for index, root in enumerate(parent.tolist()):
        members.setdefault(root, []).append(index)
    return [tuple(group) for group in members.values() if len(group) > 1]


def similarity_limit(described: np.ndarray) -> float:
    """From which dot product on two pictures count as nearly equal."""
    if len(described) < 2:
        return LIMITS[1]
    some = np.arange(0, len(described), -(-len(described) // 1000))
    alike = described[some] @ described.T
    alike[np.arange(len(some)), some] = -1
    usual = float(np.median(alike.max(axis=1)))  # of a picture to its nearest neighbor
    return float(np.clip(1 - STAND_OUT * (1 - usual), *LIMITS))


def _low_frequencies(thumbnails: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal DCT-II, the count x count lowest coefficients, float32 (N, count**2)."""
    at = (np.arange(THUMBNAIL) + 0.5) * np.pi / THUMBNAIL
    waves = np.cos(np.arange(count)[:, None] * at) * np.sqrt(2 / THUMBNAIL)
    waves[0] /= np.sqrt(2)
    waves = waves.astype(np.float32)
    low = waves @ thumbnails.astype(np.float32) @ waves.T
    return low.reshape(len(thumbnails), count * count)


def _join(parent: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Unite i[k] with j[k] for all k. parent[x] is the root of x, before and after; i is sorted."""
    first_of_row = np.unique(i, return_index=True)[1]  # settles most pairs where all are alike
    for part in (first_of_row, slice(None)):
        pairs = np.stack([parent[i[part]], parent[j[part]]], axis=1)
        pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
        for a, b in pairs.tolist():
            while parent[a] != a:
                a = parent[a]
            while parent[b] != b:
                b = parent[b]
            parent[max(a, b)] = min(a, b)
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
    return parent


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
