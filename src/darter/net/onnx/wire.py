"""Weights of an ONNX file found without reading them: a walk over protobuf's wire format.

A model is a message whose field 7 is the graph; the graph's fields 5 are the initializers, and
an initializer's field 9 is its values as bytes. `without_weights` leaves these bytes out, so that
the protobuf library parses kilobytes instead of megabytes and the weights stay where they are.
"""

from collections.abc import Iterator

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
LEAST = 4096  # bytes; smaller values stay in the message
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
LONGEST_VARINT = 10

Field = tuple[int, int, int, int]  # number, where its key begins, where its value begins and ends


def without_weights(message: memoryview) -> tuple[bytes, dict[int, memoryview]]:
    """The message without the values of its large initializers, and these by initializer number.

    A message that is not well formed is returned whole: the protobuf library says what is wrong.
    """
    try:
        return _model(message)
    except ValueError:
        return bytes(message), {}


def _model(message: memoryview) -> tuple[bytes, dict[int, memoryview]]:
    values: dict[int, memoryview] = {}
    parts: list[bytes] = []
    count = 0  # of initializers; goes on where a message holds the graph in several pieces
    for number, key, start, end in _fields(message):
        if number != GRAPH:
            parts.append(bytes(message[key:end]))
            continue
        pieces: list[bytes] = []
        for inner, inner_key, inner_start, inner_end in _fields(message[start:end]):
            if inner != INITIALIZER:
                pieces.append(bytes(message[start + inner_key : start + inner_end]))
                continue
            kept, raw = _tensor(message[start + inner_start : start + inner_end])
            if raw is not None:
                values[count] = raw
            pieces.append(_nested(INITIALIZER, kept))
            count += 1
        parts.append(_nested(GRAPH, b"".join(pieces)))
    return b"".join(parts), values


def _tensor(message: memoryview) -> tuple[bytes, memoryview | None]:
    """An initializer without its values, and the values if there are many."""
    fields = [*_fields(message)]
    found = [message[start:end] for number, _, start, end in fields if number == RAW_DATA]
    if len(found) != 1 or found[0].nbytes < LEAST:
        return bytes(message), None
    rest = (message[key:end] for number, key, _, end in fields if number != RAW_DATA)
    return b"".join(rest), found[0]


def _fields(message: memoryview) -> Iterator[Field]:
    """Raises ValueError where the message is not well formed."""
    place = 0
    while place < len(message):
        key, start = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            _, end = _varint(message, start)
        elif wire == FIXED64:
            end = start + 8
        elif wire == FIXED32:
            end = start + 4
        elif wire == BYTES:
            length, start = _varint(message, start)
            end = start + length
        else:
            raise ValueError(f"wire type {wire}")
        if end > len(message) or not number:
            raise ValueError("a field ends behind its message")
        if wire != BYTES and number in (GRAPH, INITIALIZER, RAW_DATA):
            number = -number  # another kind of value under that number; passed on as it is
        yield number, place, start, end
        place = end


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    value = 0
    for count in range(LONGEST_VARINT):
        if place + count >= len(message):
            break
        byte = message[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("a number without end")


def _nested(number: int, content: bytes) -> bytes:
    """A message as field of another."""
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(0x80 | (size & 0x7F))
        size >>= 7
    return bytes((number << 3 | BYTES,)) + bytes(length) + bytes((size,)) + content
