"""Everything that can be odd about a picture file: one visible table for scan, report and tests."""

from dataclasses import dataclass

LEFT_OUT = "left out"  # not used, and why
CONVERTED = "converted"  # used, after a conversion that a person would also have made
NOTED = "noted"  # used as it is; worth knowing


@dataclass(frozen=True)
class Kind:
    """What is done with a picture of which something is found, and what was found.

    action: LEFT_OUT, CONVERTED or NOTED.
    """

    action: str
    meaning: str


KINDS: dict[str, Kind] = {
    "missing": Kind(LEFT_OUT, "a list or an annotation names a file that is not there"),
    "unreadable": Kind(LEFT_OUT, "the file cannot be opened or read"),
    "not a file": Kind(LEFT_OUT, "a pipe, socket or device stands where a file should be"),
    "empty": Kind(LEFT_OUT, "the file has no content"),
    "not an image": Kind(LEFT_OUT, "the content is not a picture"),
    "unsupported format": Kind(LEFT_OUT, "a picture in a format that darter does not read"),
    "unsupported pixels": Kind(LEFT_OUT, "pixel values without a known black and white"),
    "truncated": Kind(LEFT_OUT, "the file ends too early"),
    "damaged": Kind(LEFT_OUT, "the content contradicts itself"),
    "huge": Kind(LEFT_OUT, "more pixels than the limit"),
    "conflict": Kind(LEFT_OUT, "the same picture stands under two labels"),
    "broken annotation": Kind(LEFT_OUT, "what is said of the picture cannot be read"),
    "not annotated": Kind(LEFT_OUT, "nothing says what is in it, while others are annotated"),
    "no captions": Kind(LEFT_OUT, "nobody has written a sentence about it"),
    "broken box": Kind(CONVERTED, "a box that cannot be read, left out; the others are used"),
    "unknown class": Kind(CONVERTED, "a box of a class that has no name, left out"),
    "box without area": Kind(CONVERTED, "a box of no width or height, left out"),
    "box outside": Kind(CONVERTED, "a box that lies beside the picture, left out"),
    "box beyond the edge": Kind(CONVERTED, "a box that leaves the picture, cut at its edge"),
    "box reversed": Kind(CONVERTED, "a box whose corners stand in the wrong order, put right"),
    "box doubled": Kind(CONVERTED, "the same box of the same class twice, used once"),
    "boxes rotated": Kind(CONVERTED, "boxes drawn before the picture was turned, turned with it"),
    "other size": Kind(CONVERTED, "boxes drawn on a larger or smaller copy, scaled"),
    "CMYK": Kind(CONVERTED, "printing colors, converted to RGB"),
    "16-bit": Kind(CONVERTED, "16 bits per color, scaled to 8"),
    "float": Kind(CONVERTED, "floating-point pixels in [0, 1], scaled to 8 bits"),
    "measured range": Kind(
        CONVERTED, "numbers without a known black and white, scaled by the range of all pictures"
    ),
    "color space": Kind(CONVERTED, "YCbCr, Lab or HSV pixels, converted to RGB"),
    "palette": Kind(CONVERTED, "palette colors, converted to RGB"),
    "1-bit": Kind(CONVERTED, "black and white only, converted to RGB"),
    "alpha": Kind(CONVERTED, "transparency, laid on white"),
    "EXIF-rotated": Kind(CONVERTED, "turned upright as its EXIF or XMP orientation says"),
    "animated": Kind(CONVERTED, "several frames or pages, the first one is used"),
    "no end marker": Kind(NOTED, "all pixels are there, only the end mark of the JPEG is missing"),
    "extra bytes": Kind(NOTED, "all pixels are there, with other bytes before the end mark"),
    "odd JPEG header": Kind(NOTED, "the header strays from the standard where no pixel is touched"),
    "empty alpha": Kind(NOTED, "its alpha is 0 everywhere, as nobody filled it: read as opaque"),
    "wholly transparent": Kind(NOTED, "nothing of it is visible, so it is white"),
    "beyond the range": Kind(NOTED, "numbers beyond the range of the other pictures, cut to it"),
    "dark 16-bit": Kind(NOTED, "16-bit values below an eighth of the range, so it looks black"),
    "wrong extension": Kind(NOTED, "the file name promises another format"),
    "very small": Kind(NOTED, "shorter side below 16 pixels"),
    "grey": Kind(NOTED, "no color, while other pictures have some"),
    "no boxes": Kind(NOTED, "nothing is marked: is nothing there, or was it forgotten?"),
    "annotated twice": Kind(NOTED, "two annotations of one picture, the first is used"),
    "boxes unsure": Kind(NOTED, "turned by EXIF; nothing tells when its boxes were drawn"),
    "other shape": Kind(NOTED, "its annotation speaks of a picture of another shape"),
    "one box, two classes": Kind(NOTED, "two classes have the same box"),
    "tiny object": Kind(NOTED, "an object that is too small for the usual input"),
    "box of all": Kind(NOTED, "a box around the whole picture"),
    "leak": Kind(LEFT_OUT, "a copy stands in the validation or test part, which keeps it"),
    "near leak": Kind(NOTED, "nearly the same picture stands in another split"),
    "similar in another class": Kind(NOTED, "a near-duplicate stands under another label"),
    "class too small": Kind(NOTED, "too few pictures to have some in each split"),
}
