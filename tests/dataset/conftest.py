"""A folder of photos, and the pack of them."""

import numpy as np
import pytest
from PIL import Image

from darter.dataset import pack


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(41):
        folder = root / ("train" if i % 4 else "test") / ("bee", "wasp's nest", "Ämse")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        width, height = map(int, rng.integers(20, 60, 2))
        coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
        suffix = ("jpg", "png", "v2.JPG")[i % 3]
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
        picture.save(folder / f"{i:02} ü.{suffix}", {"png": "PNG"}.get(suffix, "JPEG"))
    return root


@pytest.fixture(scope="module")
def packed(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed")
    made = pack(photos, out, shard_bytes=20_000)
    assert (made.pictures, made.shrunk, made.left_out) == (41, 0, ())
    assert made.shards == len(list(out.glob("shard-*.tar"))) > 3
    return out
