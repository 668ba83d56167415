"""TIFF, PNG and BMP files of known numbers, byte by byte, for what Pillow does not write."""

import struct
import zlib

import numpy as np

from tests.picture.odd_files import png
from tests.picture.tiff_codecs import (
    FLOAT,
    HORIZONTAL,
    NONE,
    compress,
    differences,
    float_differences,
)

TILE = 16  # pixels


def packed(values: np.ndarray, bits: int, order: str = ">") -> bytes:
    """Rows (H, W·channels) of whole numbers; below 8 bits, rows begin at a byte."""
    if bits >= 8:
        return values.astype(f"{order}u{bits // 8}").tobytes()
    shifts = np.arange(bits - 1, -1, -1)
    digits = (values[:, :, None] >> shifts & 1).astype(np.uint8)
    return np.packbits(digits.reshape(len(values), -1), axis=1).tobytes()


def png_of(values: np.ndarray, bits: int, kind: int, transparent: tuple[int, ...] = (), **more):
    """values: (H, W, channels).   kind: 0 grey, 2 color, 3 palette, 4 grey and alpha, 6 RGBA.

    palette: bytes.   before: whole chunks in front of the pixels.
    """
    height, width = values.shape[:2]
    rows = packed(values.reshape(height, -1), bits)
    each = len(rows) // height
    lines = b"".join(b"\0" + rows[y * each : (y + 1) * each] for y in range(height))
    chunks = more.get("before", b"")
    if kind == 3:
        chunks += chunk(b"PLTE", more["palette"])
    if transparent:
        form = f"{len(transparent)}B" if kind == 3 else f">{len(transparent)}H"
        chunks += chunk(b"tRNS", struct.pack(form, *transparent))
    content = png(width, height, bits, kind, lines)
    return content[:33] + chunks + content[33:]  # behind the header


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def tiff_of(
    values: np.ndarray,
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    planar: bool = False,
    extra: tuple[int, ...] = (),
    format: int = 1,
    compression: int = NONE,
    predictor: int = 1,
    palette: np.ndarray | None = None,
    rows_per_strip: int | None = None,
    tiled: bool = False,
    big: bool = False,
    more: dict[int, tuple[str, bytes]] | None = None,
) -> bytes:
    """values: (H, W, channels); of format 2 signed, of format 3 float.

    compression, predictor: as in `tiff_codecs`.   tiled: in squares of 16 pixels.
    more: other tags, each with the form of its numbers and their bytes.
    """
    height, width, channels = values.shape
    rows = rows_per_strip or height
    planes = np.moveaxis(values, 2, 0)[..., None] if planar else values[None]
    strips = []
    for plane in planes:
        parts = [plane[y : y + rows] for y in range(0, height, rows)]
        for part in _tiles(plane) if tiled else parts:
            lines = [_line(line[None], bits, order, format, predictor) for line in part]
            strips.append(compress(lines, compression))
    shorts = lambda *v: ("H", struct.pack(f"{order}{len(v)}H", *v))  # noqa: E731
    longs = lambda *v: ("I", struct.pack(f"{order}{len(v)}I", *v))  # noqa: E731
    offsets, at = [], 16
    for strip in strips:
        offsets.append(at)
        at += len(strip) + len(strip) % 2
    tags = {
        256: shorts(width),
        257: shorts(height),
        258: shorts(*[bits] * channels),
        259: shorts(compression),
        262: shorts(photometric),
        277: shorts(channels),
        284: shorts(2 if planar else 1),
        317: shorts(predictor),
        **({320: shorts(*palette.T.ravel())} if palette is not None else {}),
        **({338: shorts(*extra)} if extra else {}),
        339: shorts(*[format] * channels),
        **({322: shorts(TILE), 323: shorts(TILE)} if tiled else {278: shorts(rows)}),
        **({324: longs(*offsets)} if tiled else {273: longs(*offsets)}),
        **({325: longs(*map(len, strips))} if tiled else {279: longs(*map(len, strips))}),
        **(more or {}),
    }
    body = b"".join(strip + b"\0" * (len(strip) % 2) for strip in strips)
    return _tiff(tags, body, order, big)


def _tiles(plane: np.ndarray) -> list[np.ndarray]:
    height, width = plane.shape[:2]
    room = [(0, -height % TILE), (0, -width % TILE), (0, 0)]
    plane = np.pad(plane, room, mode="edge")
    return [
        plane[y : y + TILE, x : x + TILE]
        for y in range(0, height, TILE)
        for x in range(0, width, TILE)
    ]


def _line(row: np.ndarray, bits: int, order: str, format: int, predictor: int) -> bytes:
    """row: (1, W, channels)"""
    if predictor == FLOAT:
        return float_differences(row.astype(f"f{bits // 8}"))
    if format == 1 and bits < 8:
        return packed(row.reshape(1, -1), bits)
    if format == 1 and bits == 12:
        return _packed12(row.reshape(1, -1))
    row = row.astype(f"{'uif'[format - 1]}{bits // 8}")
    row = differences(row) if predictor == HORIZONTAL else row
    return row.astype(row.dtype.newbyteorder(order)).tobytes()


def _packed12(values: np.ndarray) -> bytes:
    digits = (values[:, :, None] >> np.arange(11, -1, -1) & 1).astype(np.uint8)
    return np.packbits(digits.reshape(len(values), -1), axis=1).tobytes()


def _tiff(tags: dict[int, tuple[str, bytes]], body: bytes, order: str, big: bool) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    first = 16 + len(body)
    if big:
        head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, first)
    else:
        head = (mark + struct.pack(f"{order}HI", 42, first)).ljust(16, b"\0")
    room, number, long = (8, "Q", 20) if big else (4, "I", 12)
    entries, tail = b"", b""
    tail_at = first + (8 if big else 2) + long * len(tags) + room
    types = {"H": (3, 2), "I": (4, 4), "B": (1, 1)}
    for tag, (form, content) in sorted(tags.items()):
        kind, size = types[form]
        if len(content) > room:
            value = struct.pack(f"{order}{number}", tail_at + len(tail))
            tail += content + b"\0" * (len(content) % 2)
        else:
            value = content.ljust(room, b"\0")
        entries += struct.pack(f"{order}HH{number}", tag, kind, len(content) // size) + value
    count = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    return head + body + count + entries + b"\0" * room + tail
