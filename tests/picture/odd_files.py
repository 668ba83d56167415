"""Write a folder of good pictures with every kind of broken or odd file among them.

`write_odd_folder(root)` returns {file name relative to root: kinds that the scan must find}; the
other files are good and must not be mentioned.
"""

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("leaf", "stone")
ORIENTATION = 0x0112
Make = Callable[[np.random.Generator], bytes]


def picture(rng: np.random.Generator, width: int = 80, height: int = 60) -> Image.Image:
    """A smooth random color picture, different for each state of rng."""
    small = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(image: Image.Image, **options) -> bytes:
    return encoded(image, "JPEG", quality=92, **options)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def png(width: int, height: int, depth: int, color_type: int, rows: bytes) -> bytes:
    """A PNG of raw rows, for what Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png16(rng: np.random.Generator) -> bytes:
    values = np.asarray(picture(rng)).astype(np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(80, 60, 16, 2, rows)


def grey16(rng: np.random.Generator, scale: int = 257) -> Image.Image:
    return Image.fromarray(np.asarray(picture(rng).convert("L")).astype(np.uint16) * scale)


def cut(content: bytes, share: float = 0.6) -> bytes:
    return content[: int(len(content) * share)]


def flipped_bytes(content: bytes, at: float, count: int = 40) -> bytes:
    start = int(len(content) * at)
    return content[:start] + b"\xff\xd0" * (count // 2) + content[start + count :]


def animation(rng: np.random.Generator, format: str) -> bytes:
    return encoded(picture(rng), format, save_all=True, append_images=[picture(rng), picture(rng)])


def float_tiff(rng: np.random.Generator, scale: float) -> bytes:
    values = np.asarray(picture(rng).convert("L")).astype(np.float32) / 255 * scale
    return encoded(Image.fromarray(values), "TIFF")


def with_transparency(rng: np.random.Generator) -> Image.Image:
    image = picture(rng).convert("RGBA")
    image.putalpha(picture(rng).convert("L"))
    return image


def bmp(rgba: np.ndarray) -> bytes:
    """A version 4 BMP of 32 bits with an alpha channel."""
    height, width = rgba.shape[:2]
    pixels = rgba[::-1, :, [2, 1, 0, 3]].astype(np.uint8).tobytes()
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(pixels), 1, 1, 0, 0)
    header += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels


def unfilled_alpha(rng: np.random.Generator) -> bytes:
    rgb = np.asarray(picture(rng))
    return bmp(np.dstack((rgb, np.zeros_like(rgb[:, :, 0]))))


ODD: dict[str, tuple[tuple[str, ...], Make]] = {  # file name: kinds, content
    # left out
    "empty.jpg": (("empty",), lambda rng: b""),
    "cut.jpg": (("truncated",), lambda rng: cut(jpeg(picture(rng)))),
    "cut_progressive.jpg": (
        ("truncated",), lambda rng: cut(jpeg(picture(rng), progressive=True), 0.8)),
    "cut_in_header.jpg": (("truncated",), lambda rng: jpeg(picture(rng))[:60]),
    "cut.png": (("truncated",), lambda rng: cut(encoded(picture(rng), "PNG"))),
    "cut.gif": (("truncated",), lambda rng: cut(encoded(picture(rng), "GIF"))),
    "cut.webp": (("truncated",), lambda rng: cut(encoded(picture(rng), "WEBP"))),
    "cut.bmp": (("truncated",), lambda rng: cut(encoded(picture(rng), "BMP"))),
    "cut.tif": (("truncated",), lambda rng: cut(encoded(picture(rng), "TIFF"))),
    "scrambled.jpg": (("damaged",), lambda rng: flipped_bytes(jpeg(picture(rng)), 0.7)),
    "scrambled.png": (
        ("damaged",), lambda rng: flipped_bytes(encoded(picture(rng), "PNG"), 0.3)),
    "text.jpg": (("not an image",), lambda rng: b"This is not the picture you asked for.\n"),
    "web_page.jpg": (("not an image",), lambda rng: b"<!DOCTYPE html><html>404</html>"),
    "zeros.jpg": (("not an image",), lambda rng: bytes(5000)),
    "archive.png": (("not an image",), lambda rng: b"PK\x03\x04" + bytes(200)),
    "lfs_pointer.jpg": (
        ("not an image",), lambda rng: b"version https://git-lfs.github.com/spec/v1\noid sha256:0"),
    "notes.txt": (("not an image",), lambda rng: b"BMW in the background"),
    "phone.heic": (
        ("unsupported format",), lambda rng: b"\0\0\0\x18ftypheic" + bytes(100)),
    "drawing.svg": (("unsupported format",), lambda rng: b"<?xml version='1.0'?><svg></svg>"),
    "paper.pdf": (("unsupported format",), lambda rng: b"%PDF-1.7\n" + bytes(100)),
    "camera.nef": (("unsupported format",), lambda rng: encoded(picture(rng), "TIFF")),
    "layers.psd": (("unsupported format",), lambda rng: b"8BPS\0\x01" + bytes(100)),
    "bomb.png": (("huge",), lambda rng: png(60_000, 60_000, 1, 0, bytes(10_000))),
    "big_claim.jpg": (("huge",), lambda rng: huge_jpeg(picture(rng))),
    "no_numbers.tif": (
        ("unsupported pixels",), lambda rng: float_tiff(rng, float("nan"))),
    # converted
    "printing.jpg": (("CMYK",), lambda rng: jpeg(picture(rng).convert("CMYK"))),
    "sixteen.png": (("16-bit",), png16),
    "sixteen_grey.tif": (("16-bit", "grey"), lambda rng: encoded(grey16(rng), "TIFF")),
    "twelve_of_sixteen.png": (
        ("16-bit", "dark 16-bit", "grey"), lambda rng: encoded(grey16(rng, 16), "PNG")),
    "float.tif": (("measured range", "grey"), lambda rng: float_tiff(rng, 1.0)),
    "measurements.tif": (("measured range", "grey"), lambda rng: float_tiff(rng, 900.0)),
    "counts.tif": (
        ("measured range", "grey"),
        lambda rng: encoded(Image.fromarray(np.arange(480, dtype="i4").reshape(20, 24)), "TIFF")),
    "palette.png": (("palette",), lambda rng: encoded(picture(rng).quantize(32), "PNG")),
    "transparent.png": (("alpha",), lambda rng: encoded(with_transparency(rng), "PNG")),
    "transparent.webp": (
        ("alpha",), lambda rng: encoded(with_transparency(rng), "WEBP", lossless=True)),
    "black_white.png": (
        ("1-bit", "grey"), lambda rng: encoded(picture(rng).convert("1"), "PNG")),
    "turned.jpg": (("EXIF-rotated",), lambda rng: jpeg(picture(rng), exif=turned(6))),
    "turned.png": (
        ("EXIF-rotated",), lambda rng: encoded(picture(rng), "PNG", exif=turned(8))),
    "turned.tif": (
        ("EXIF-rotated",), lambda rng: encoded(picture(rng), "TIFF", exif=turned(3))),
    "moving.gif": (("palette", "animated"), lambda rng: animation(rng, "GIF")),
    "moving.webp": (("animated",), lambda rng: animation(rng, "WEBP")),
    "moving.png": (("animated",), lambda rng: animation(rng, "PNG")),
    "pages.tif": (("animated",), lambda rng: animation(rng, "TIFF")),
    # noted
    "no_end.jpg": (("no end marker",), lambda rng: jpeg(picture(rng))[:-2]),
    "garbage_at_end.jpg": (
        ("extra bytes",), lambda rng: jpeg(picture(rng))[:-2] + bytes(199) + b"\xff\xd9"),
    "scan_parameters.jpg": (("odd JPEG header",), lambda rng: odd_scan(jpeg(picture(rng)))),
    "unfilled_alpha.bmp": (("empty alpha",), unfilled_alpha),
    "invisible.png": (("alpha", "wholly transparent", "grey"), lambda rng: encoded(
        Image.new("RGBA", (80, 60), (9, 8, 7, 0)), "PNG")),
    "really_a_png.jpg": (("wrong extension",), lambda rng: encoded(picture(rng), "PNG")),
    "stamp.png": (("very small",), lambda rng: encoded(picture(rng, 12, 40), "PNG")),
    "grey.jpg": (("grey",), lambda rng: jpeg(picture(rng).convert("L"))),
}  # fmt: skip


def odd_scan(content: bytes) -> bytes:
    """Scan parameters that only progressive files use, as some phones write them."""
    changed = bytearray(content)
    at = content.index(b"\xff\xda")
    end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    changed[end - 3 : end] = bytes((1, 5, 0x11))
    return bytes(changed)


def huge_jpeg(image: Image.Image) -> bytes:
    """A JPEG whose header claims 65000x65000 pixels."""
    content = bytearray(jpeg(image))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(content)


def write_odd_folder(root: Path, good: int = 12, seed: int = 0) -> dict[str, set[str]]:
    """Write `good` ordinary JPEGs per class, the odd files (spread over the classes), copies that
    stand under two labels, a pipe, a folder named like a picture, a dangling link, a link back
    to the root, and litter that must be ignored."""
    rng = np.random.default_rng(seed)
    expected: dict[str, set[str]] = {}
    for label in CLASSES:
        (root / label).mkdir(parents=True)
        for number in range(good):
            (root / label / f"good_{number:02}.jpg").write_bytes(jpeg(picture(rng)))
    for number, (name, (kinds, make)) in enumerate(ODD.items()):
        where = f"{CLASSES[number % 2]}/{name}"
        (root / where).write_bytes(make(rng))
        expected[where] = set(kinds)
    leaf, stone = (root / label for label in CLASSES)
    both = encoded(picture(rng), "PNG")
    (leaf / "in_both.png").write_bytes(both)
    (stone / "same_again.png").write_bytes(both)
    expected |= {"leaf/in_both.png": {"conflict"}, "stone/same_again.png": {"conflict"}}
    os.mkfifo(leaf / "pipe.jpg")
    expected["leaf/pipe.jpg"] = {"not a file"}
    (stone / "dangling.jpg").symlink_to(root / "nowhere.jpg")
    expected["stone/dangling.jpg"] = {"unreadable"}
    (leaf / "back_to_root").symlink_to(root)
    deep = stone / "shelf.jpg" / "box"  # a folder named like a picture
    deep.mkdir(parents=True)
    (deep / "deep.jpg").write_bytes(jpeg(picture(rng)))
    for litter in ("Thumbs.db", ".DS_Store", "._good_00.jpg", "desktop.ini"):
        (leaf / litter).write_bytes(b"litter")
    (root / "__MACOSX" / "leaf").mkdir(parents=True)
    (root / "__MACOSX" / "leaf" / "good_00.jpg").write_bytes(b"litter")
    return expected
