"""What a file is, told by its first bytes: formats that are read, refused, or no pictures."""

import struct

READABLE: tuple[tuple[str, int, bytes], ...] = (  # format, offset, magic
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("GIF", 0, b"GIF87a"),
    ("GIF", 0, b"GIF89a"),
    ("BMP", 0, b"BM"),
    ("WEBP", 8, b"WEBP"),
    ("TIFF", 0, b"II*\0"),
    ("TIFF", 0, b"MM\0*"),
    ("TIFF", 0, b"II+\0"),
    ("TIFF", 0, b"MM\0+"),
    ("JPEG2000", 0, b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("JPEG2000", 0, b"\xff\x4f\xff\x51"),
    ("ICO", 0, b"\0\0\1\0"),
    *(("PPM", 0, b"P%d" % n) for n in range(1, 7)),
    *(("PCX", 0, bytes((10, version, 1))) for version in (0, 2, 3, 5)),
    ("QOI", 0, b"qoif"),
    ("SGI", 0, b"\x01\xda"),
)
TGA_END = b"TRUEVISION-XFILE.\0"
HEVC = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"))
BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes of the header versions
REFUSED: tuple[tuple[str, int, bytes], ...] = (
    ("JPEG XL", 0, b"\xff\x0a"),
    ("JPEG XL", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("PDF", 0, b"%PDF"),
    ("PostScript", 0, b"%!PS"),
    ("Photoshop PSD", 0, b"8BPS"),
    ("GIMP XCF", 0, b"gimp xcf"),
    ("camera raw (CR2)", 8, b"CR\x02"),
    ("camera raw (CR3)", 4, b"ftypcrx "),
    ("camera raw (RAF)", 0, b"FUJIFILMCCD-RAW"),
    ("camera raw (ORF)", 0, b"IIRO"),
    ("camera raw (RW2)", 0, b"IIU\0"),
    ("OpenEXR", 0, b"v/1\x01"),
    ("Radiance HDR", 0, b"#?RADIANCE"),
    ("DICOM", 128, b"DICM"),
    ("FITS", 0, b"SIMPLE  ="),
    ("DirectDraw DDS", 0, b"DDS "),
    ("DjVu", 0, b"AT&TFORM"),
)  # fmt: skip
OTHERS: tuple[tuple[str, int, bytes], ...] = (
    ("a video", 4, b"ftyp"),
    ("a video", 8, b"AVI "),
    ("a video", 0, b"\x1aE\xdf\xa3"),
    ("a sound", 8, b"WAVE"),
    ("a sound", 0, b"ID3"),
    ("a ZIP archive or office document", 0, b"PK\x03\x04"),
    ("a gzip archive", 0, b"\x1f\x8b"),
    ("a NumPy array", 0, b"\x93NUMPY"),
    ("an HDF5 file", 0, b"\x89HDF"),
    ("a program", 0, b"\x7fELF"),
    ("a program", 0, b"MZ"),
    ("a Git LFS pointer: run `git lfs pull` to fetch the picture", 0, b"version https://git-lfs"),
    ("an AppleDouble file that macOS leaves beside the picture", 0, b"\0\x05\x16\x07"),
)
RAW_EXTENSIONS = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".kdc", ".mef", ".mrw", ".nef", ".nrw"),
    *(".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"),
)
EXTENSIONS: dict[str, frozenset[str]] = {  # an unlisted extension promises nothing
    "JPEG": frozenset([".jpg", ".jpeg", ".jpe", ".jfif"]),
    "PNG": frozenset([".png", ".apng"]),
    "GIF": frozenset((".gif",)),
    "BMP": frozenset([".bmp", ".dib"]),
    "WEBP": frozenset((".webp",)),
    "TIFF": frozenset([".tif", ".tiff"]),
    "JPEG2000": frozenset([".jp2", ".j2k", ".jpx", ".jpf", ".j2c"]),
    "AVIF": frozenset([".avif", ".avifs"]),
    "ICO": frozenset((".ico",)),
    "PPM": frozenset([".ppm", ".pgm", ".pbm", ".pnm"]),
    "PCX": frozenset((".pcx",)),
    "QOI": frozenset((".qoi",)),
    "SGI": frozenset([".sgi", ".rgb", ".rgba", ".bw"]),
    "TGA": frozenset([".tga", ".icb", ".vda", ".vst"]),
    "HEIC": frozenset([".heic", ".heif", ".hif"]),
}


def refused(data: bytes) -> tuple[str, str] | None:
    """("unsupported format", reason) where the bytes are a picture that darter does not read."""
    name = _match(REFUSED, data)
    if brands(data)[:1] in ((b"mif1",), (b"msf1",)) and readable_format(data) is None:
        name = "HEIF without HEVC or AV1 pictures"
    if name is None and _is_svg(data):
        name = "SVG"
    if name is None:
        return None
    return "unsupported format", f"{name} is not read; save it as JPEG or PNG"


def readable_format(data: bytes) -> str | None:
    """The format that the first bytes promise, if darter reads it."""
    if data[8:12] == b"WEBP" and data[:4] != b"RIFF":
        return None
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") not in BMP_HEADERS:
        return None  # a text may begin with BM
    found = brands(data)
    if b"avif" in found or b"avis" in found:
        return "AVIF"
    if HEVC.intersection(found):
        return "HEIC"
    return _match(READABLE, data) or ("TGA" if data.endswith(TGA_END) else None)


def brands(data: bytes) -> tuple[bytes, ...]:
    """What a file of the family of MP4 says that it is: the major brand and those it goes with."""
    if data[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(data[:4], "big"), 1024, len(data))
    others = (data[at : at + 4] for at in range(16, end - 3, 4))
    return (data[8:12], *others)


def describe(data: bytes) -> str:
    """What a file that is no picture seems to be."""
    name = _match(OTHERS, data)
    if name:
        return f"it is {name}"
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "it is a web page; the download probably failed"
    if not data.strip(b"\0"):
        return "it holds only zero bytes"
    text = sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in data[:512])
    return "it is text" if text == len(data[:512]) else "its first bytes match no picture format"


def extension_mismatch(suffix: str, name: str) -> str | None:
    """The format that the extension promises, where the content is another one."""
    name = "JPEG" if name == "MPO" else name
    for promised, extensions in EXTENSIONS.items():
        if suffix.lower() in extensions:
            return promised if promised != name and name != "DIB" else None
    return None


def ends_early(data: bytes, name: str) -> bool:
    """Whether the end that the format demands is missing."""
    tail = data[-64:].rstrip(b"\0")
    if name == "JPEG":
        return b"\xff\xd9" not in data[-4096:]
    if name == "PNG":
        return b"IEND" not in data[-4096:]
    if name == "GIF":
        return not tail.endswith(b";")
    if name == "WEBP" and len(data) >= 8:
        return struct.unpack("<I", data[4:8])[0] + 8 > len(data)
    if name == "BMP" and len(data) >= 6:
        return struct.unpack("<I", data[2:6])[0] > len(data)
    return len(data) < 16


def _match(table: tuple[tuple[str, int, bytes], ...], data: bytes) -> str | None:
    for name, offset, magic in table:
        if data[offset : offset + len(magic)] == magic:
            return name
    return None


def _is_svg(data: bytes) -> bool:
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in start
