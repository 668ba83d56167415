"""What is done to the rows of a TIFF before they are written. Source: TIFF 6.0, Adobe's notes."""

import zlib

import numpy as np

NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE = 1, 5, 8, 32773, 32946
HORIZONTAL, FLOAT = 2, 3  # predictors
CLEAR, END = 256, 257


def differences(rows: np.ndarray) -> np.ndarray:
    """rows: whole numbers (H, W, channels), each as the difference from its left neighbor."""
    before = np.zeros_like(rows)
    before[:, 1:] = rows[:, :-1]
    return rows - before  # wraps around


def float_differences(rows: np.ndarray) -> bytes:
    """rows: floats (H, W, channels), as bytes: the high ones of a row first, then differences."""
    height, _, channels = rows.shape
    high_first = rows.astype(rows.dtype.newbyteorder(">"))
    parts = high_first.view(np.uint8).reshape(height, -1, rows.itemsize)
    shuffled = parts.swapaxes(1, 2).reshape(height, -1, channels)
    return differences(shuffled).tobytes()


def compress(rows: list[bytes], how: int) -> bytes:
    if how == PACKBITS:
        return b"".join(_packbits(row) for row in rows)
    content = b"".join(rows)
    if how == LZW:
        return _lzw(content)
    return zlib.compress(content) if how in (DEFLATE, OLD_DEFLATE) else content


def _packbits(row: bytes) -> bytes:
    """Runs of three and more as such, the rest as it is."""
    packed, waiting, at = bytearray(), bytearray(), 0
    while at < len(row):
        count = 1
        while count < 128 and row[at : at + 1] == row[at + count : at + count + 1]:
            count += 1
        if count > 2:
            packed += _literal(waiting) + bytes((257 - count, row[at]))
            waiting.clear()
        else:
            waiting += row[at : at + count]
        at += count
    return bytes(packed + _literal(waiting))


def _literal(content: bytearray) -> bytes:
    parts = (content[i : i + 128] for i in range(0, len(content), 128))
    return b"".join(bytes((len(part) - 1,)) + part for part in parts)


def _lzw(content: bytes) -> bytes:
    """Codes of 9 to 12 bits, the high bit first; a code too early longer, as all writers do."""
    digits: list[str] = []
    table: dict[bytes, int] = {}
    width = 9

    def emit(code: int) -> None:
        digits.append(f"{code:0{width}b}")

    def start() -> None:
        nonlocal width
        emit(CLEAR)
        table.clear()
        table.update({bytes((i,)): i for i in range(256)})
        width = 9

    start()
    known = b""
    for value in content:
        longer = known + bytes((value,))
        if longer in table:
            known = longer
            continue
        emit(table[known])
        table[longer] = len(table) + 2  # behind CLEAR and END
        if len(table) + 2 == 4094:
            start()
        elif len(table) + 2 == 1 << width:
            width += 1
        known = bytes((value,))
    if known:
        emit(table[known])
        if len(table) + 3 == 1 << width:
            width += 1
    emit(END)
    text = "".join(digits)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")
