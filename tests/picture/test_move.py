"""Boxes go where the pixels go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.picture import Augment, Preprocess, apply, boxes_back, move_boxes, move_points

SIZE = (120, 80)  # width and height


def white(box):
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = 255
    return pixels


def seen(pixels, warp):
    """The box around what is white in the warp's output."""
    out = apply(pixels, warp, np.empty((3, *warp.sides), np.uint8))[1]
    rows, columns = np.nonzero(out > 127)
    if not len(rows):
        return None
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


boxes = st.tuples(
    st.integers(0, 80), st.integers(0, 50), st.integers(12, 40), st.integers(12, 30)
).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
MIX = {
    "flip": {},
    "random_frame": {"scale": (0.7, 1.6)},
    "rotate": {"degrees": (-25, 25)},
    "shear": {"x": (-10, 10)},
    "perspective": {},
    "lens": {"k": (-0.2, 0.2)},
}


@settings(max_examples=80, deadline=None)
@given(boxes, st.sampled_from(["mix", *MIX]), st.integers(0, 10**6))
def test_a_moved_box_lies_around_what_was_in_it(box, which, index):
    spec = MIX if which == "mix" else {which: MIX[which]}
    warp = Augment.from_dict(spec, 96, border="fill", crop="pad").sample(0, 0, index, SIZE)
    (moved,), (share,) = move_boxes(warp, [box])
    found = seen(white(box), warp)
    if found is None:
        assert share < 0.3
        return
    outside = np.maximum(moved[:2] - found[:2], found[2:] - moved[2:])
    assert outside.max() <= 2.5, (moved, found)  # what is bent between the eight points
    if share > 0.999:  # of a box that the edge cuts, corners beyond the edge widen what is left
        assert np.abs(moved - found).max() <= 2.5, (moved, found)


@given(st.integers(0, 10**6))
def test_points_come_back(index):
    warp = Augment.from_dict(MIX, 96, crop="pad").sample(0, 0, index, SIZE)
    points = np.random.default_rng(index).uniform((20, 20), (100, 60), (9, 2))
    moved = move_points(warp, points)
    shown = ((moved > 0) & (moved < 96)).all(axis=1)
    points, moved = points[shown], moved[shown]
    small = np.column_stack((moved - 1e-7, moved + 1e-7))
    back = boxes_back(warp, small)
    assert back[:, :2] == pytest.approx(points, abs=1e-3)


def test_the_share_that_is_left_of_a_box():
    warp = Preprocess(size=40, resize=40, crop="center").warp((80, 40))  # the middle of 80×40
    _, shares = move_boxes(warp, [(20, 0, 60, 40), (0, 0, 40, 40), (0, 0, 15, 40)])
    assert shares.tolist() == pytest.approx([1, 0.5, 0])
