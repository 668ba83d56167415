"""Decodes seeded mutations of good files; run as a program, so that a crash is seen from outside.

python -m tests.picture.mutated_files FIRST COUNT NOTE     # NOTE: file that names the one in hand
"""

import io
import itertools
import random
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from darter.picture import KINDS, Augment, Encoded, PictureError, decode, open_pixels
from tests.picture.valid_files import valid_files

SLOWEST = 20.0  # seconds for one file, on a busy machine; none takes a tenth of it
MAX_PIXELS = 4_000_000


def good_files() -> list[bytes]:
    """Every format that is read, in several kinds each."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    picture = coarse.resize((61, 47), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}
    kinds = [
        ("JPEG", picture, {}),
        ("JPEG", picture, {"subsampling": 0, "quality": 95}),
        ("JPEG", picture, {"subsampling": 1, "optimize": True, "restart_marker_blocks": 3}),
        ("JPEG", picture, {"progressive": True, "exif": exif}),
        ("JPEG", picture.convert("L"), {}),
        ("JPEG", picture.convert("CMYK"), {}),
        ("PNG", picture, {}),
        ("PNG", picture.convert("RGBA"), {"compress_level": 0}),
        ("PNG", picture.convert("P"), {}),
        ("PNG", picture.convert("I;16"), {}),
        ("WEBP", picture, {}),
        ("WEBP", picture, {"lossless": True}),
        ("WEBP", picture, frames),
        ("GIF", picture, {}),
        ("GIF", picture, frames),
        ("AVIF", picture, {"speed": 10}),
        ("JPEG2000", picture, {}),
        ("PPM", picture, {}),
        ("PPM", picture.convert("1"), {}),
        ("ICO", picture, {}),
        ("PCX", picture, {}),
        ("PCX", picture.convert("P"), {}),
        ("QOI", picture, {}),
        ("SGI", picture, {}),
        ("TGA", picture, {"compression": "tga_rle"}),
        ("TIFF", picture, {"compression": "jpeg"}),
    ]
    files = []
    for name, image, options in kinds:
        buffer = io.BytesIO()
        image.save(buffer, name, **options)
        files.append(buffer.getvalue())
    return files


def other_files() -> list[bytes]:
    """TIFFs, PNGs and BMPs that Pillow does not write, of every kind of pixels."""
    some = itertools.islice(valid_files(), 0, None, 29)
    return [file.content for file in some if not file.unread and file.value_range is None]


def mutated(content: bytes, draw: random.Random) -> bytes:
    """1 to 8 changes: bytes, bits, holes, insertions, copies, a cut, a swap of two parts."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at = (
            draw.randrange(len(data))
            if draw.random() < 0.6
            else draw.randrange(min(200, len(data)))
        )
        length = min(draw.choice((1, 1, 2, 4, 16, 64)), len(data) - at)
        change = draw.randrange(8)
        if change == 0:
            data[at] = draw.randrange(256)
        elif change == 1:
            data[at] ^= 1 << draw.randrange(8)
        elif change == 2:
            data[at : at + length] = bytes([draw.choice((0, 0x7F, 0x80, 0xFF))]) * length
        elif change == 3:
            del data[at : at + length]
        elif change == 4:
            data[at:at] = draw.randbytes(length)
        elif change == 5:
            data[at:at] = data[at : at + length]
        elif change == 6:
            del data[max(8, at) :]
        else:
            other = draw.randrange(len(data))
            data[at], data[other] = data[other], data[at]
        if len(data) < 8:
            break
    return bytes(data)


def outcome(content: bytes) -> str:
    """ "good" or the kind of the error; AssertionError for anything else."""
    try:
        picture = decode(content, max_pixels=MAX_PIXELS)
    except PictureError as error:
        assert error.kind in KINDS and error.detail
        picture = None
        result = error.kind
    else:
        height, width, channels = picture.pixels.shape
        assert picture.pixels.dtype == np.uint8 and channels == 3
        assert picture.size == (width, height) and width * height <= MAX_PIXELS
        result = "good"
    try:
        view(content)
    except PictureError as error:
        assert error.kind in KINDS and picture is None, "only the whole picture could be decoded"
    return result


AUGMENT = Augment.from_dict({"area_crop": {"area": (0.1, 0.5)}, "rotate": {}}, 16)


def view(content: bytes) -> None:
    """Decode what an augmentation shows, in parts where that is possible."""
    pixels = open_pixels(content, max_pixels=MAX_PIXELS)
    assert isinstance(pixels, (np.ndarray, Encoded))
    slot = np.full((3, 16, 16), np.nan, np.float32)
    AUGMENT.write(pixels, slot, 0, 0, 0)
    assert np.isfinite(slot).all()


def main(first: int, count: int, note: Path) -> None:
    files, others = good_files(), other_files()
    for content in (*files, *others):
        assert outcome(content) == "good"
    found: Counter[str] = Counter()
    slowest = 0.0
    for number in range(first, first + count):
        chosen = others if number % 3 == 0 else files  # most of which darter reads by itself
        content = mutated(chosen[number % len(chosen)], random.Random(number))
        note.write_bytes(content)
        began = time.perf_counter()
        found[outcome(content)] += 1
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < SLOWEST
    print(f"{count} files, slowest {slowest:.3f} s: {dict(found.most_common())}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
