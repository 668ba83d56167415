"""Every kind of broken annotation is named, and trained around."""

import json

import numpy as np
import pytest
from annotated import coco, picture, voc
from hypothesis import given
from hypothesis import strategies as st

from darter.dataset import overlaps, scan, survey_samples
from darter.dataset.check_boxes import turn
from darter.picture import KINDS, decode

GOOD = ("cell", (11, 6, 30, 25))
FLAWS = {
    "box without area": [("cell", (20, 6, 20, 25))],
    "box outside": [("cell", (100, 6, 120, 25))],
    "box beyond the edge": [("cell", (40, 6, 90, 25))],
    "box reversed": [("cell", (30, 25, 11, 6))],
    "box doubled": [GOOD, GOOD],
    "one box, two classes": [GOOD, ("other", GOOD[1])],
    "broken box": [("cell", ("nan", 6, 30, 25))],
    "box of all": [("cell", (1, 1, 60, 40))],
    "no boxes": [],
}


@pytest.mark.parametrize("kind", FLAWS)
def test_a_flaw_of_boxes_is_named_and_the_rest_is_used(tmp_path, kind):
    picture(tmp_path / "1.jpg")
    voc(tmp_path / "1.xml", FLAWS[kind])
    audit = scan(survey_samples(tmp_path))
    assert [f.kind for f in audit.findings] == [kind]
    (used,) = audit.pictures
    for box in used.sample.target.boxes:
        x0, y0, x1, y1 = box.corners
        assert 0 <= x0 < x1 <= 60 and 0 <= y0 < y1 <= 40


def test_an_object_too_small_for_the_usual_input_is_named(tmp_path):
    picture(tmp_path / "1.jpg", (300, 200))
    voc(tmp_path / "1.xml", [("cell", (3, 3, 5, 5))], (300, 200))
    assert [f.kind for f in scan(survey_samples(tmp_path)).findings] == ["tiny object"]


def findings(root):
    return {(f.path.rpartition("/")[2], f.kind) for f in scan(survey_samples(root)).findings}


def test_flaws_of_files(tmp_path):
    for number in range(1, 5):
        picture(tmp_path / f"{number}.jpg", seed=number)
    voc(tmp_path / "1.xml", [GOOD])
    (tmp_path / "2.xml").write_text("<annotation><object>")
    voc(tmp_path / "9.xml", [GOOD])
    voc(tmp_path / "more/3.xml", [GOOD], size=(120, 80))
    voc(tmp_path / "3.xml", [GOOD], size=(120, 80))
    assert findings(tmp_path) == {
        ("2.jpg", "broken annotation"),
        ("3.jpg", "annotated twice"), ("3.jpg", "other size"),
        ("4.jpg", "not annotated"),
        ("9.jpg", "missing"),
    }  # fmt: skip


def test_an_unknown_class_of_yolo_and_of_coco(tmp_path):
    picture(tmp_path / "1.jpg")
    (tmp_path / "1.txt").write_text("3 .5 .5 .2 .2\n0 .5 .5 .2 .2\n0 300 200 40 30\n")
    (tmp_path / "classes.txt").write_text("cell\n")
    assert findings(tmp_path) == {("1.jpg", "unknown class"), ("1.jpg", "broken box")}
    file = coco(tmp_path / "coco.json", {"1.jpg": [("cell", (1, 2, 30, 4))]})
    content = json.loads(file.read_text())
    content["annotations"].append({"image_id": 0, "category_id": 8, "bbox": [1, 2, 3, 4]})
    file.write_text(json.dumps(content))
    assert findings(file) == {("1.jpg", "unknown class")}


@pytest.mark.parametrize("orientation", range(2, 9))
def test_boxes_drawn_before_the_picture_was_turned_turn_with_it(tmp_path, orientation):
    """A white patch in the file is found under the turned box."""
    from PIL import Image

    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[6:14, 32:56] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "1.jpg", exif=exif, quality=95)
    x0, y0, x1, y1 = map(round, turn((32, 6, 56, 14), (60, 40), orientation))
    upright = decode(tmp_path / "1.jpg").pixels
    assert upright[y0:y1, x0:x1].mean() > 240
    assert upright.sum() - upright[y0:y1, x0:x1].sum() < 0.1 * upright.sum()
    voc(tmp_path / "1.xml", [("cell", (33, 7, 56, 14))], size=(60, 40))
    kinds = {f.kind for f in scan(survey_samples(tmp_path)).findings}
    assert ("boxes rotated" if orientation >= 5 else "boxes unsure") in kinds
    assert all(kind in KINDS for kind in kinds)


corners = st.tuples(*[st.integers(-5, 25)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@given(corners, corners)
def test_overlaps_counts_pixels(a, b):
    def mask(box):
        plane = np.zeros((40, 40), bool)
        plane[box[1] + 10 : box[3] + 10, box[0] + 10 : box[2] + 10] = True
        return plane

    both, either = (mask(a) & mask(b)).sum(), (mask(a) | mask(b)).sum()
    found = overlaps(np.array([a]), np.array([b]))[0, 0]
    assert found == pytest.approx(both / either if either else 0)
