"""The JPEG decoder against libjpeg-turbo, bit for bit; hostile files."""

import io
import platform

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from darter import kernels

SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def picture(width, height, seed):
    """Smooth areas, edges and grain, as photos have them."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3)).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 12, (height, width, 1))
    return np.clip(np.asarray(smooth) + grain, 0, 255).astype(np.uint8)


def jpeg(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.fixture(params=kernels.available_isas())
def isa(request):
    with kernels.using_isa(request.param):
        yield request.param


@st.composite
def files(draw):
    width, height = draw(st.integers(5, 90)), draw(st.integers(1, 90))
    options = {
        "subsampling": SAMPLINGS[draw(st.sampled_from(sorted(SAMPLINGS)))],
        "quality": draw(st.sampled_from([1, 10, 50, 75, 90, 100])),
        "optimize": draw(st.booleans()),  # Huffman tables of its own
        "restart_marker_blocks": draw(st.sampled_from([0, 0, 1, 5])),
    }
    pixels = picture(width, height, draw(st.integers(0, 1000)))
    if draw(st.booleans()) and draw(st.booleans()):
        pixels = pixels[:, :, 0]
    return jpeg(pixels, **options)


@pytest.mark.parametrize("isa", kernels.available_isas())
@settings(max_examples=150)
@given(files(), st.data())
def test_every_window_is_libjpegs(isa, content, data):
    whole = simplejpeg.decode_jpeg(content)
    height, width = whole.shape[:2]
    left, right = sorted(data.draw(st.tuples(st.integers(0, width - 1), st.integers(1, width))))
    top, bottom = sorted(data.draw(st.tuples(st.integers(0, height - 1), st.integers(1, height))))
    window = (left, top, max(right, left + 1), max(bottom, top + 1))
    with kernels.using_isa(isa):
        np.testing.assert_array_equal(kernels.decode_jpeg(content), whole)
        part = kernels.decode_jpeg(content, window)
    np.testing.assert_array_equal(part, whole[window[1] : window[3], window[0] : window[2]])


def test_strange_blocks_are_libjpegs(isa):
    noise = np.random.default_rng(0).integers(0, 2, (200, 300, 3)).astype(np.uint8) * 255
    for quality in (5, 100):
        content = jpeg(noise, quality=quality, subsampling=0)
        np.testing.assert_array_equal(kernels.decode_jpeg(content), simplejpeg.decode_jpeg(content))


def test_unusual_files_are_left_to_libjpeg():
    pixels = picture(64, 48, 0)
    cmyk = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(cmyk, "JPEG")
    rgb = jpeg(pixels, keep_rgb=True)
    for content in (jpeg(pixels, progressive=True), cmyk.getvalue(), rgb, b"", b"\xff\xd8", b"GIF"):
        assert kernels.decode_jpeg(content) is None
        assert kernels.jpeg_size(content) is None
    assert kernels.jpeg_size(jpeg(pixels)) == (64, 48)


def test_what_lies_below_the_window_is_not_read():
    content = jpeg(picture(64, 256, 0))
    cut = content[: len(content) // 2]
    assert kernels.decode_jpeg(cut) is None
    top = kernels.decode_jpeg(cut, (0, 0, 64, 16))
    np.testing.assert_array_equal(top, simplejpeg.decode_jpeg(content)[:16])


def test_a_window_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match="not inside"):
        kernels.decode_jpeg(jpeg(picture(20, 20, 0)), (0, 0, 21, 20))


def after(content, marker):
    """Where the content of a segment begins."""
    return content.index(marker) + 4


@st.composite
def damaged_files(draw):
    """(content, whether the header was touched): bytes anywhere, or other quantizers, which make
    sums that no encoder makes."""
    content = bytearray(draw(files()))
    scan = content.rindex(b"\xff\xda")
    place = draw(st.sampled_from(["header", "quantizers", "pixels"]))
    first = {"header": 2, "quantizers": after(content, b"\xff\xdb") + 1, "pixels": scan}[place]
    last = first + 63 if place == "quantizers" else len(content) - 1
    for _ in range(draw(st.integers(1, 4 if place != "quantizers" else 40))):
        at = draw(st.integers(first, last))
        values = [0, 0x7F, 0xFF, content[at] ^ 1, 0x80]
        if place == "quantizers":
            values = list(range(min(255, 8 * content[at] + 1)))
        content[at] = draw(st.sampled_from(values))
    return bytes(content), place != "pixels"


@pytest.mark.parametrize("isa", kernels.available_isas())
@settings(max_examples=400)
@given(damaged_files())
def test_damaged_files_are_refused_or_decoded_as_libjpeg_does(isa, file):
    damaged, in_header = file
    size = kernels.jpeg_size(damaged)
    if size is None or size[0] * size[1] > 1_000_000:
        return
    with kernels.using_isa(isa):
        ours = kernels.decode_jpeg(damaged)
    if ours is None:
        return
    try:
        theirs = simplejpeg.decode_jpeg(damaged)
    except ValueError as error:  # it looks at things in the header that play no part here
        assert in_header or "Invalid SOS parameters" in str(error)
        theirs = np.asarray(Image.open(io.BytesIO(damaged)).convert("RGB"))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("isa", kernels.available_isas())
@given(st.integers(1, 255), st.integers(0, 1000))
def test_sums_that_overflow_are_libjpegs(isa, largest, seed):
    """One bright pixel has coefficients that add up; quantizers make them as large as can be."""
    rng = np.random.default_rng(seed)
    dots = np.full((64, 64), 128, np.uint8)
    dots[rng.integers(0, 8) :: 8, rng.integers(0, 8) :: 8] = 255
    content = bytearray(jpeg(dots, qtables=[[1] * 64]))
    at = after(content, b"\xff\xdb") + 1
    content[at : at + 64] = bytes(rng.integers(largest // 2, largest + 1, 64).astype(np.uint8))
    with kernels.using_isa(isa):
        ours = kernels.decode_jpeg(bytes(content))
    if ours is None:  # products that no encoder makes are refused
        return
    if platform.machine() == "x86_64":
        theirs = simplejpeg.decode_jpeg(bytes(content))
    else:  # libjpeg-turbo's sums for other CPUs overflow elsewhere
        with kernels.using_isa("scalar"):
            theirs = kernels.decode_jpeg(bytes(content))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("mode", ["L", "YCbCr"])
def test_one_rule_for_sampling_factors(mode):
    """What is decoded here in parts is what Pillow decodes; what it refuses is refused."""
    content = bytearray(jpeg(picture(40, 30, 0)[:, :, 0] if mode == "L" else picture(40, 30, 0)))
    at = after(content, b"\xff\xc0") + 7
    for factors in range(256):
        content[at] = factors
        given, ours = bytes(content), kernels.decode_jpeg(bytes(content))
        state = kernels.check_jpeg(given)
        try:
            theirs = np.asarray(Image.open(io.BytesIO(given)).convert("RGB"))
        except (OSError, SyntaxError):
            assert ours is None and state != "whole", hex(factors)
            continue
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs)
        if mode == "L":
            assert ours is not None and state == "whole"


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 4}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_state_of_the_bytes(mode, options):
    buffer = io.BytesIO()
    Image.fromarray(picture(90, 70, 0)).convert(mode).save(buffer, "JPEG", **options)
    whole = buffer.getvalue()
    body = whole[:-2]
    assert kernels.check_jpeg(whole) == "whole"
    assert kernels.check_jpeg(body) == "endless"
    for count in (1, 5, 200):
        assert kernels.check_jpeg(body + bytes(range(1, 1 + count)) + b"\xff\xd9") == "extra"
    assert kernels.check_jpeg(body[:-40] + b"\xff\xd9") == "damaged"
    assert kernels.check_jpeg(body[:-40]) == "damaged"
    assert kernels.check_jpeg(body[:-40] + b"\xff\xd5" + body[-40:]) == "damaged"
    assert kernels.check_jpeg(jpeg(picture(9, 9, 0), progressive=True)) is None
