"""What a file is by its first bytes, and formats that need a library of their own."""

import re
import struct
import sys
import types

import numpy as np
import pytest
from PIL import Image

from darter.extras import install_line
from darter.picture import PictureError, decode, formats
from tests.picture.odd_files import encoded, picture


def ftyp(*brands):
    content = brands[0] + bytes(4) + b"".join(brands[1:])
    return struct.pack(">I", 8 + len(content)) + b"ftyp" + content + bytes(40)


@pytest.mark.parametrize(
    ("brands", "format"),
    [
        ((b"heic", b"mif1", b"heic"), "HEIC"),
        ((b"mif1", b"mif1", b"heic"), "HEIC"),
        ((b"msf1", b"hevc"), "HEIC"),
        ((b"avif",), "AVIF"),
        ((b"mif1", b"miaf", b"avif"), "AVIF"),
        ((b"avis", b"msf1"), "AVIF"),
        ((b"mif1", b"miaf"), None),
        ((b"isom", b"mp42"), None),
    ],
)
def test_heic_and_avif_by_all_their_brands(brands, format):
    assert formats.readable_format(ftyp(*brands)) == format


def test_avif_under_another_major_brand():
    content = encoded(picture(np.random.default_rng(0)), "AVIF", quality=100)
    other = content.replace(b"ftypavif", b"ftypmif1", 1)
    assert np.array_equal(decode(other).pixels, decode(content).pixels)


def test_heic_names_what_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=re.escape(install_line("heic"))) as error:
        decode(ftyp(b"mif1", b"heic"))
    assert error.value.kind == "unsupported format"


def test_heic_is_read_where_its_library_is(monkeypatch):
    red = Image.new("RGB", (20, 10), "red")
    red.info["exif"] = b"Exif\0\0broken"
    heif = types.SimpleNamespace(to_pillow=lambda: red)
    library = types.SimpleNamespace(open_heif=lambda data, convert_hdr_to_8bit: heif)
    monkeypatch.setitem(sys.modules, "pillow_heif", library)
    found = decode(ftyp(b"heic"))
    assert found.format == "HEIC" and found.size == (20, 10)
    assert found.pixels[0, 0].tolist() == [255, 0, 0]


def test_other_kinds_of_heif_are_named():
    with pytest.raises(PictureError, match="HEIF without HEVC or AV1 pictures is not read"):
        decode(ftyp(b"mif1", b"miaf"))
