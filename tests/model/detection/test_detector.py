"""Tiles cover a picture and tell what lies on their edges once; foreign outputs are understood."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.model import Detector, ModelInfo
from darter.model.detection.detector import tiled
from darter.model.detection.foreign import _tables, padded, yolo_rows
from darter.picture import Preprocess


@given(st.integers(1, 900), st.integers(1, 900), st.integers(2, 9))
def test_tiles_cover_every_pixel(width, height, tiles):
    seen = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in tiled((width, height), tiles):
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        seen[y0:y1, x0:x1] = True
    assert seen.all()


@dataclass(frozen=True)
class FindsWhite:
    """A "net" that finds the box around the white pixels of its input."""

    runtime: str = "none"

    def run(self, x):
        out = np.zeros((len(x), 1, 6), np.float32)
        for row, picture in zip(out, x, strict=True):
            rows, columns = np.nonzero(picture[0] > 0.5)
            if len(rows):
                row[0] = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.9, 0)
        return out


@pytest.mark.parametrize("tiles", [1, 2, 3])
@pytest.mark.parametrize("place", [(10, 20), (190, 95), (330, 140)])
def test_a_thing_is_found_once_where_it_is(tiles, place):
    x, y = place
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[y : y + 24, x : x + 30] = 255
    preprocess = Preprocess((64, 96), None, "pad", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    detector = Detector(FindsWhite(), ModelInfo(("cell",), preprocess, task="detect"))
    (answer,) = detector.detect([pixels], tiles=tiles)
    assert answer.counts == {"cell": 1}
    assert answer.found[0].corners == pytest.approx((x, y, x + 30, y + 24), abs=6.5)


def test_outputs_of_yolo_in_their_three_forms():
    box = (50.0, 40.0, 20.0, 10.0)  # middle and sides
    corners = (40.0, 35.0, 60.0, 45.0)
    classes = 4
    new = np.zeros((1, 4 + classes, 200), np.float32)
    new[0, :4, 7:9] = np.array(box)[:, None]
    new[0, 4 + 2, 7:9] = 0.8, 0.7
    old = np.zeros((1, 200, 5 + classes), np.float32)
    old[0, 7, :4], old[0, 7, 4], old[0, 7, 5 + 2] = box, 0.5, 0.9
    end = np.zeros((1, 30, 6), np.float32)
    end[0, 0] = (*corners, 0.8, 2)
    for output, score in ((new, 0.8), (old, 0.45), (end, 0.8)):
        (rows,) = [yolo_rows(table) for table in _tables(output)]
        assert rows == pytest.approx(np.array([[*corners, score, 2]]), abs=1e-5)
    assert padded([np.zeros((0, 6)), rows]).shape == (2, 1, 6)
