"""BMP: bits x header version x direction x compression, in widths that leave rows any padding."""

import itertools
import struct
from collections.abc import Iterator

import numpy as np

from tests.picture.raw_files import packed
from tests.picture.valid_files import Valid, numbers, on_white

CORE, INFO, V4, V5 = 12, 40, 108, 124  # sizes of the header's versions
HEADERS = (CORE, INFO, V4, V5)
RAW, RLE8, RLE4, MASKS = range(4)
WIDTHS = (5, 6, 7, 8, 11)
HEIGHT = 7
MASK16 = {"555": (0x7C00, 0x3E0, 0x1F), "565": (0xF800, 0x7E0, 0x1F)}
MASK32 = {
    "bgrx": (0xFF0000, 0xFF00, 0xFF), "xbgr": (0xFF000000, 0xFF0000, 0xFF00),
    "rgbx": (0xFF, 0xFF00, 0xFF0000), "bgra": (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "rgba": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
}  # fmt: skip


def bmps() -> Iterator[Valid]:
    for width, header, down in itertools.product(WIDTHS, HEADERS, (False, True)):
        if header == CORE and down:
            continue  # its height has no sign
        for bits in (1, 4, 8):
            yield _palette(width, header, down, bits)
            if bits > 1 and header != CORE and not down:
                yield _palette(width, header, down, bits, packed_runs=True)
        yield _plain(width, header, down, 24)
        if header != CORE:
            yield _plain(width, header, down, 32)
            yield _plain(width, header, down, 16)
            for name in (*MASK16, *MASK32):
                yield _masked(width, header, down, name)


def _palette(width: int, header: int, down: bool, bits: int, packed_runs: bool = False) -> Valid:
    values = numbers(bits, seed=width, size=(HEIGHT, width))[:, :, 0]
    palette = np.random.default_rng(bits).integers(0, 256, (1 << bits, 3))
    table = palette[:, ::-1].astype(np.uint8)
    if header != CORE:
        table = np.concatenate((table, np.zeros((len(table), 1), np.uint8)), axis=1)
    rows = [packed(row[None], bits) for row in values]
    body, compression = _padded(rows, down), RAW
    if packed_runs:
        compression = RLE8 if bits == 8 else RLE4
        body = b"".join(_runs(row) + b"\0\0" for row in values[::-1])[:-2] + b"\0\1"
    content = _file(width, header, down, bits, compression, table.tobytes(), body)
    name = f"bmp-palette{bits}{'-runs' * packed_runs}"
    return Valid(_name(name, width, header, down), content, palette[values])


def _runs(row: np.ndarray) -> bytes:
    """Each number by itself, as a run of one to as many as are equal."""
    found, at = bytearray(), 0
    while at < len(row):
        count = 1
        while at + count < len(row) and row[at + count] == row[at]:
            count += 1
        value = int(row[at])
        found += bytes((count, value if row.max() > 15 else value * 17 if value < 16 else value))
        at += count
    return bytes(found)


def _plain(width: int, header: int, down: bool, bits: int) -> Valid:
    """5, 8 or 8 bits a channel, the last of 32 without a meaning."""
    deep = 5 if bits == 16 else 8
    values = numbers(deep, 3, seed=width, size=(HEIGHT, width))
    if bits == 16:
        words = values[:, :, 0] << 10 | values[:, :, 1] << 5 | values[:, :, 2]
        rows = [row.astype("<u2").tobytes() for row in words]
    else:
        spare = np.full((HEIGHT, width, 1), 77)
        wide = np.concatenate((values[:, :, ::-1], spare), axis=2)[:, :, : bits // 8]
        rows = [row.astype(np.uint8).tobytes() for row in wide]
    content = _file(width, header, down, bits, RAW, b"", _padded(rows, down))
    shown = values * 255 / ((1 << deep) - 1)
    off = 1.0 if bits == 16 else 0.5  # Pillow cuts what it should round
    return Valid(_name(f"bmp-plain{bits}", width, header, down), content, shown, off)


def _masked(width: int, header: int, down: bool, name: str) -> Valid:
    masks = MASK16.get(name) or MASK32[name]
    bits = 16 if name in MASK16 else 32
    deep = [bin(mask).count("1") for mask in masks]
    shifts = [(mask & -mask).bit_length() - 1 for mask in masks]
    channels = [
        numbers(d, seed=width + k, size=(HEIGHT, width))[:, :, 0] for k, d in enumerate(deep)
    ]
    words = sum(value << shift for value, shift in zip(channels, shifts, strict=True))
    rows = [row.astype(f"<u{bits // 8}").tobytes() for row in words]
    content = _file(width, header, down, bits, MASKS, b"", _padded(rows, down), masks)
    shown = np.stack(
        [value * 255 / ((1 << d) - 1) for value, d in zip(channels, deep, strict=True)], axis=2
    )
    has_alpha = len(masks) == 4 and header != INFO
    rgb = on_white(shown[:, :, :3], shown[:, :, 3:]) if has_alpha else shown[:, :, :3]
    label = _name(f"bmp-{name}", width, header, down)
    off = 1.0 if bits == 16 else 1.5 if has_alpha else 0.5
    unknown = name == "rgbx" or (name == "rgba" and header == INFO)
    return Valid(label, content, rgb, off, unread="its order of colors" if unknown else "")


def _name(kind: str, width: int, header: int, down: bool) -> str:
    return f"{kind}-header{header}-width{width}{'-down' * down}"


def _padded(rows: list[bytes], down: bool) -> bytes:
    whole = [row.ljust(-(-len(row) // 4) * 4, b"\0") for row in rows]
    return b"".join(whole if down else whole[::-1])


def _file(
    width: int, header: int, down: bool, bits: int, compression: int, table: bytes, body: bytes,
    masks: tuple[int, ...] = (),
) -> bytes:  # fmt: skip
    height = -HEIGHT if down else HEIGHT
    if header == CORE:
        head = struct.pack("<IHHHH", CORE, width, HEIGHT, 1, bits)
    else:
        head = struct.pack(
            "<IiiHHIIiiII", header, width, height, 1, bits, compression, len(body), 2835, 2835, 0, 0
        )
        given = struct.pack("<4I", *masks, *[0] * (4 - len(masks)))
        if header == INFO:
            head += given[:12] if masks else b""
        else:
            head = (head + given + b"BGRs").ljust(header, b"\0")
    start = 14 + len(head) + len(table)
    whole = head + table + body
    return b"BM" + struct.pack("<IHHI", 14 + len(whole), 0, 0, start) + whole
