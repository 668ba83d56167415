import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from darter.dataset import duplicates as d
from darter.picture import decode
from tests.picture.odd_files import encoded, jpeg
from tests.references.duplicates import components, near_duplicate_components


def grouped(numbers):
    found = {}
    for index, number in enumerate(numbers):
        found.setdefault(int(number), set()).add(index)
    return {frozenset(group) for group in found.values()}


@given(st.integers(1, 30), st.data())
def test_connected_equals_reference(count, data):
    one = st.lists(st.integers(0, count - 1), min_size=1, max_size=5)
    links = data.draw(st.lists(one, max_size=15))
    assert grouped(d.connected(count, links)) == components(count, links)


def photos(count, seed=0):
    """Random pictures whose detail falls off with its fineness, as in photos."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        total = np.full((150, 200, 3), 128.0)
        for octave in (1, 2, 4, 8):
            small = rng.normal(0, 50 / octave, (3 * octave, 4 * octave, 3)) + 128
            grid = Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))
            total += np.asarray(grid.resize((200, 150), Image.Resampling.BICUBIC)) - 128.0
        made.append(Image.fromarray(np.clip(total, 0, 255).astype(np.uint8)))
    return made


def thumbnails(images):
    return np.stack([d.thumbnail(np.asarray(image.convert("RGB"))) for image in images])


COPIES = {
    "resized": lambda i: i.resize((100, 75)),
    "squeezed": lambda i: i.resize((128, 128)),
    "recompressed": lambda i: Image.fromarray(decode(jpeg(i)).pixels),
    "cropped 1%": lambda i: i.crop((2, 2, i.width - 2, i.height - 2)),
    "brighter": lambda i: i.point(lambda value: min(255, int(value * 1.15))),
    "grey": lambda i: i.convert("L"),
}


def test_copies_are_found_and_other_pictures_are_not():
    images = photos(60)
    copies = [make(images[k]) for k, make in enumerate(COPIES.values())]
    groups = d.near_duplicate_groups(thumbnails(images + copies))
    assert groups == [(k, 60 + k) for k in range(len(copies))]


def test_scans_of_digits_are_no_copies_of_each_other():
    """Blurred blobs on black look alike; the limit rises with how alike a collection is."""
    rng = np.random.default_rng(3)
    blobs = []
    for _ in range(300):
        strokes = np.zeros((8, 8), np.uint8)
        strokes[1:7, 2:6] = rng.integers(0, 256, (6, 4)) // 2 + 64
        strokes[2:6, 3:5] = rng.integers(0, 100, (4, 2))
        blobs.append(Image.fromarray(strokes).resize((32, 32), Image.Resampling.BICUBIC))
    assert d.near_duplicate_groups(thumbnails(blobs)) == []


def test_pictures_without_contrast_are_not_alike():
    rng = np.random.default_rng(0)
    flat = rng.integers(127, 130, (40, 32, 32)).astype(np.uint8)
    ramp = np.linspace(-1, 1, 32)[None, None] * rng.choice([-1, 1], (40, 1, 1))
    nearly_flat = (128 + ramp + rng.normal(0, 0.7, (40, 32, 32))).round().astype(np.uint8)
    assert d.near_duplicate_groups(flat) == []
    assert d.near_duplicate_groups(nearly_flat) == []


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_blocks_and_joins_equal_reference(count, seed):
    rng = np.random.default_rng(seed)
    bases = rng.integers(0, 256, (max(1, count // 3), 32, 32)).astype(np.float64)
    small = bases[rng.integers(0, len(bases), count)]
    small = np.clip(small + rng.normal(0, rng.choice([1, 30, 90]), small.shape), 0, 255)
    small = small.astype(np.uint8)
    described = d.descriptors(small)
    expected = near_duplicate_components(described, d.similarity_limit(described))
    block, d.BLOCK = d.BLOCK, 7
    try:
        found = d.near_duplicate_groups(small)
    finally:
        d.BLOCK = block
    assert {frozenset(g) for g in found} == {g for g in expected if len(g) > 1}


def test_all_alike_collection_is_one_group_and_quick():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (32, 32)).astype(np.int16)
    others = rng.integers(0, 256, (3, 32, 32)).astype(np.int16)
    frames = np.clip(base + rng.integers(-3, 4, (3000, 32, 32)), 0, 255)
    groups = d.near_duplicate_groups(np.concatenate([frames, others]).astype(np.uint8))
    assert all(len(group) > 1 and max(group) < 3000 for group in groups)


def test_digest_is_of_pixels_not_of_files():
    image = photos(1)[0]
    png, bmp = decode(encoded(image, "PNG")), decode(encoded(image, "BMP"))
    assert d.pixel_digest(png.pixels, png.size) == d.pixel_digest(bmp.pixels, bmp.size)
    changed = png.pixels.copy()
    changed[0, 0, 0] ^= 1
    assert d.pixel_digest(changed, png.size) != d.pixel_digest(png.pixels, png.size)


def test_perceptual_hash_changes_little_when_a_picture_is_resized():
    image = photos(1)[0]
    a, b = d.perceptual_hashes(thumbnails([image, COPIES["resized"](image)])).tolist()
    assert (a ^ b).bit_count() <= 6
