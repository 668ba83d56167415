"""Each format in the layouts that it comes in: same pictures, same boxes."""

import json
import sys

import pytest
from annotated import coco, picture, voc

from darter.dataset import Boxes, Captions, find_samples, scan
from darter.errors import DataError, MissingExtraError

CELL = (10.0, 5.0, 30.0, 25.0)  # corners in pixels of 60×40


def boxes_of(listing, name="1.jpg"):
    audit = scan(listing)
    (found,) = [p.sample for p in audit.pictures if p.sample.path.name == name]
    assert isinstance(found.target, Boxes)
    return [(box.label, tuple(round(c, 3) for c in box.corners)) for box in found.target.boxes]


def test_voc_counts_pixels_from_1_and_brings_its_parts(tmp_path):
    for number in range(1, 4):
        picture(tmp_path / f"JPEGImages/{number}.jpg", seed=number)
        voc(tmp_path / f"Annotations/{number}.xml", [("cell", (11, 6, 30, 25))])
    for part, names in (("train", "1\n2\n"), ("val", "3\n")):
        list_ = tmp_path / f"ImageSets/Main/{part}.txt"
        list_.parent.mkdir(parents=True, exist_ok=True)
        list_.write_text(names)
    listing = find_samples(tmp_path)
    assert (listing.kind, listing.task, listing.classes) == ("voc", "detect", ("cell",))
    assert [sample.split for sample in listing.samples] == ["train", "train", "val"]
    assert boxes_of(listing) == [("cell", CELL)]


def test_voc_beside_the_pictures_in_folders_of_parts(tmp_path):
    for part in ("train", "valid", "test"):
        picture(tmp_path / part / "1.jpg", seed=len(part))
        voc(tmp_path / part / "1.xml", [("cell", (11, 6, 30, 25)), ("x", (1, 1, 5, 5), True)])
    listing = find_samples(tmp_path)
    assert sorted(sample.split for sample in listing.samples) == ["test", "train", "val"]
    assert [box.spare for box in listing.samples[0].target.boxes] == [False, True]


@pytest.mark.parametrize("where, names", [
    ("annotations/instances_train2017.json", ("train2017/{}", "train2017/{}")),
    ("train/_annotations.coco.json", ("train/{}", "train/{}")),
])  # fmt: skip
def test_coco(tmp_path, where, names):
    for number in (1, 2):
        picture(tmp_path / names[0].format(f"{number}.jpg"), seed=number)
    coco(tmp_path / where, {"1.jpg": [("cell", (10, 5, 20, 20))], "2.jpg": []})
    listing = find_samples(tmp_path)
    assert (listing.kind, {s.split for s in listing.samples}) == ("coco", {"train"})
    assert boxes_of(listing) == [("cell", CELL)]
    assert boxes_of(find_samples(tmp_path / where)) == [("cell", CELL)]  # the file itself


@pytest.mark.parametrize("layout", ["{kind}/{part}", "{part}/{kind}"])
@pytest.mark.parametrize(
    "line", ["1 0.333333 0.375 0.333333 0.5", "1 .1666667 .125 .5 .125 .5 .625"]
)
def test_yolo(tmp_path, layout, line):
    for part in ("train", "val"):
        picture(tmp_path / layout.format(kind="images", part=part) / "1.jpg", seed=len(part))
        text = tmp_path / layout.format(kind="labels", part=part) / "1.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(line + "\n")
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: [dog, cell]\n")
    listing = find_samples(tmp_path)
    assert (listing.kind, [s.split for s in listing.samples]) == ("yolo", ["train", "val"])
    assert {b for s in scan(listing).pictures for b in s.sample.labels} == {"cell"}
    found = scan(listing).pictures[0].sample.target.boxes[0].corners
    assert found == pytest.approx(CELL, abs=1e-3)


def test_yolo_without_pyyaml_says_what_to_install(tmp_path, monkeypatch):
    picture(tmp_path / "1.jpg")
    (tmp_path / "1.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text("names: [cell]\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"data\.yaml needs PyYAML: pip install"):
        find_samples(tmp_path)


def test_yolo_without_names_numbers_its_classes(tmp_path):
    picture(tmp_path / "1.jpg")
    (tmp_path / "1.txt").write_text("7 0.5 0.5 0.2 0.2\n")
    listing = find_samples(tmp_path)
    assert listing.classes == ("class 7",)
    assert "class 0, class 1" in listing.notes[0]


def test_labelme(tmp_path):
    picture(tmp_path / "1.jpg")
    points = [[10, 5], [30, 5], [30, 25], [10, 20]]
    shape = {"label": "cell", "points": points, "shape_type": "polygon"}
    content = {"imageData": "A" * 9000, "shapes": [shape], "imagePath": "..\\x\\1.jpg",
               "imageWidth": 60, "imageHeight": 40}  # fmt: skip
    (tmp_path / "1.json").write_text(json.dumps(content))
    listing = find_samples(tmp_path)
    assert (listing.kind, boxes_of(listing)) == ("labelme", [("cell", CELL)])


@pytest.mark.parametrize("text", [
    "filename,width,height,class,xmin,ymin,xmax,ymax\n1.jpg,60,40,cell,10,5,30,25\n",
    "image;x1;y1;x2;y2;label\n1.jpg;10;5;30;25;cell\n",
    "1.jpg,10,5,30,25,cell\n",
])  # fmt: skip
def test_csv_of_boxes(tmp_path, text):
    picture(tmp_path / "1.jpg")
    (tmp_path / "boxes.csv").write_text(text)
    listing = find_samples(tmp_path / "boxes.csv")
    assert (listing.task, boxes_of(listing)) == ("detect", [("cell", CELL)])


def test_csv_of_captions_and_coco_captions(tmp_path):
    picture(tmp_path / "1.jpg")
    (tmp_path / "list.csv").write_text('path,caption\n1.jpg,"one cell"\n1.jpg,a cell\n')
    listing = find_samples(tmp_path / "list.csv")
    assert listing.task == "caption"
    assert listing.samples[0].target == Captions(("one cell", "a cell"))
    content = {"images": [{"id": 3, "file_name": "1.jpg"}],
               "annotations": [{"image_id": 3, "caption": " one\ncell "}]}  # fmt: skip
    (tmp_path / "captions_train.json").write_text(json.dumps(content))
    listing = find_samples(tmp_path / "captions_train.json")
    assert listing.samples[0].target == Captions(("one cell",))
    assert listing.samples[0].split == "train"


def test_class_folders_with_other_files_stay_class_folders(tmp_path):
    for label in ("ant", "bee"):
        picture(tmp_path / label / "1.jpg")
        (tmp_path / label / "1.jpg.json").write_text('{"title": "IMG_1.jpg"}')
        (tmp_path / label / "1.txt").write_text("taken in 2019 on a farm near Bern 3 4 5")
    assert find_samples(tmp_path).task == "classify"


def test_damaged_coco_is_an_error_that_names_it(tmp_path):
    picture(tmp_path / "1.jpg")
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [')
    with pytest.raises(DataError, match=r"a\.json is no JSON"):
        find_samples(tmp_path)
