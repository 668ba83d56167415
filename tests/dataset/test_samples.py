import os
import subprocess
from pathlib import Path

import pytest

from darter.dataset import find_samples, without_strangers
from darter.errors import DataError


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    return root


def rows(listing):
    root = listing.root if listing.root.is_dir() else listing.root.parent
    return [(os.path.relpath(s.path, root), s.label, s.split) for s in listing.samples]


def test_folder_per_class(tmp_path):
    make(tmp_path, "ant/1.jpg", "ant/more/2.jpg", "bee/1.jpg", ".git/x", "ant/.hidden", "readme.md")
    listing = find_samples(tmp_path)
    assert (listing.kind, listing.classes) == ("classes", ("ant", "bee"))
    assert rows(listing) == [
        ("ant/1.jpg", "ant", None), ("ant/more/2.jpg", "ant", None), ("bee/1.jpg", "bee", None),
    ]  # fmt: skip
    assert listing.notes == ("1 file beside the class folders left aside, e.g. readme.md",)


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VAL"])
def test_splits_above_the_classes(tmp_path, val):
    make(tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", f"{val}/ant/2.jpg", "test/bee/3.jpg")
    listing = find_samples(tmp_path)
    assert listing.kind == "splits"
    assert sorted((s.label, s.split) for s in listing.samples) == [
        ("ant", "train"), ("ant", "val"), ("bee", "test"), ("bee", "train"),
    ]  # fmt: skip


def test_class_called_train_is_a_class(tmp_path):
    make(tmp_path, "train/1.jpg", "bus/1.jpg", "car/1.jpg")
    assert find_samples(tmp_path).classes == ("bus", "car", "train")


def test_folders_beside_the_splits_are_noted(tmp_path):
    make(tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", "raw/ant/1.jpg", "test/7.jpg")
    listing = find_samples(tmp_path)
    assert listing.classes == ("ant", "bee") and len(listing.samples) == 2
    assert listing.notes == (
        "left aside, beside the splits: raw/", "left aside: test/, 1 file, no class folder",
    )  # fmt: skip


def test_test_names_a_subfolder(tmp_path):
    make(tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", "val/ant/2.jpg", "val/bee/2.jpg")
    listing = find_samples(tmp_path, test="val")
    assert [s.split for s in listing.samples] == ["train", "train", "test", "test"]


def test_test_names_a_class_folder_like_holdout_beside_classes(tmp_path):
    make(tmp_path, "ant/1.jpg", "bee/1.jpg", "holdout/ant/1.jpg")
    listing = find_samples(tmp_path, test="holdout")
    assert rows(listing)[-1] == ("holdout/ant/1.jpg", "ant", "test")
    assert listing.classes == ("ant", "bee")


def test_test_is_another_folder_or_csv(tmp_path):
    make(tmp_path, "photos/ant/1.jpg", "photos/bee/1.jpg", "new/ant/9.jpg")
    listing = find_samples(tmp_path / "photos", test=tmp_path / "new")
    assert [s.split for s in listing.samples].count("test") == 1
    (tmp_path / "new.csv").write_text("path,label\nnew/ant/9.jpg,bee\n")
    listing = find_samples(tmp_path / "photos", test=tmp_path / "new.csv")
    assert [s.label for s in listing.samples if s.split == "test"] == ["bee"]


def test_given_test_folder_gives_way_to_the_option(tmp_path):
    make(tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", "val/ant/2.jpg", "test/ant/3.jpg")
    listing = find_samples(tmp_path, test="val")
    assert "test/ant/3.jpg" not in [name for name, _, _ in rows(listing)]
    assert listing.notes == ("left aside: 1 file of the given test split; test is val",)


def test_links_that_loop_are_harmless(tmp_path):
    root = make(tmp_path / "set", "ant/1.jpg", "bee/1.jpg")
    (root / "ant" / "loop").symlink_to(root / "ant")
    (root / "ant" / "up").symlink_to(root.parent)
    (root / "bee" / "a").mkdir()
    (root / "bee" / "a" / "b").symlink_to(root / "bee" / "a")
    assert len(find_samples(root).samples) == 2


def test_name_that_is_not_utf8_can_be_shown(tmp_path):
    make(tmp_path, "ant/1.jpg", "bee/1.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/ant/\xff.jpg")).write_bytes(b"picture")
    assert len(find_samples(tmp_path).samples) == 3


def test_csv_as_spreadsheets_write_it(tmp_path):
    make(tmp_path, "a/1.jpg", "a/2.jpg", "b/3.jpg")
    csv = tmp_path / "list.csv"
    csv.write_bytes("\ufeffLabel;Path;Group;Split\r\nünt;a/1.jpg;g;Train\r\n\r\nbee;a\\2.jpg;;\r\n"
                    "bee;b/3.jpg;g;validation\r\n".encode())  # fmt: skip
    listing = find_samples(csv)
    assert rows(listing) == [
        ("a/1.jpg", "ünt", "train"), ("a/2.jpg", "bee", None), ("b/3.jpg", "bee", "val"),
    ]  # fmt: skip
    assert [s.group for s in listing.samples] == ["g", None, "g"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name the columns path and label"),
        ("file,label\na/1.jpg,ant\n", "path not found in: file, label"),
        ("path,label\n", "lists no pictures"),
        ("path,label\na/1.jpg,ant\na/2.jpg,\n", "line 3: the label is empty"),
        ("path,label\na/1.jpg,ant\na/1.jpg,bee\n", r"lines 2 and 3 name the same file a/1\.jpg"),
        ("path,label,split\na/1.jpg,ant,tests\n", "line 2: the split is 'tests'; expected train"),
        ("path,label\nx/1.jpg,ant\nx/2.jpg,bee\n", "none of its 2 files is there"),
        ("path,label\na/1.jpg,ant\na/2.jpg,ant\n", r"one class only \(ant\)"),
    ],
)
def test_csv_errors_name_line_and_remedy(tmp_path, text, message):
    make(tmp_path, "a/1.jpg", "a/2.jpg")
    csv = tmp_path / "list.csv"
    csv.write_text(text)
    with pytest.raises(DataError, match=message):
        find_samples(csv)


def test_csv_in_another_encoding(tmp_path):
    (tmp_path / "list.csv").write_bytes("path,label\na.jpg,b\xe4r\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"is not UTF-8 text.*Save it as CSV UTF-8"):
        find_samples(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"is empty\. Expected one folder per class"),
        (["1.jpg", "2.jpg"], "holds 2 files but no class folder"),
        (["ant/1.jpg"], r"one class only \(ant\); at least two are needed"),
        (["ant/young/1.jpg", "ant/old/1.jpg"], r"Perhaps you mean .*ant\?"),
        (["test/ant/1.jpg", "test/bee/1.jpg"], "holds a test split only"),
        (
            ["train/ant/1.jpg", "train/bee/1.jpg", "test/wasp/1.jpg"],
            "only the test split has.*wasp",
        ),
    ],
)
def test_unusable_folders(tmp_path, names, message):
    with pytest.raises(DataError, match=message):
        find_samples(make(tmp_path, *names))


def test_missing_path_and_wrong_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist\. Expected one folder per class"):
        find_samples(tmp_path / "nowhere")
    make(tmp_path, "photo.jpg", "c/ant/1.jpg", "c/bee/1.jpg")
    with pytest.raises(DataError, match=r"photo\.jpg is a file"):
        find_samples(tmp_path / "photo.jpg")
    with pytest.raises(DataError, match="test split held is neither a folder"):
        find_samples(tmp_path / "c", test="held")


def test_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    make(tmp_path, "ant/1.jpg", "bee/1.jpg")
    listed = os.scandir

    def refuse(folder):
        if str(folder).endswith("bee"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot list the folder .*bee: Permission denied"):
        find_samples(tmp_path)


def test_a_link_to_itself_is_one_file(tmp_path):
    make(tmp_path, "ant/1.jpg", "bee/1.jpg")
    (tmp_path / "ant" / "self.jpg").symlink_to("self.jpg")
    listing = find_samples(tmp_path)
    assert [name for name, _, _ in rows(listing)] == ["ant/1.jpg", "ant/self.jpg", "bee/1.jpg"]


def test_folders_within_folders_have_no_limit(tmp_path):
    make(tmp_path, "ant/1.jpg", "bee/1.jpg")
    here = os.open(tmp_path / "bee", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert len(find_samples(tmp_path).samples) == 2
    finally:  # shutil.rmtree, which pytest uses, has a limit
        subprocess.run(["rm", "-rf", str(tmp_path / "bee")], check=True)


def test_empty_class_folders_are_named(tmp_path):
    make(tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", "val/ant/2.jpg")
    for empty in ("train/wasp", "val/wasp", "val/bee", "train/fly\n"):
        (tmp_path / empty).mkdir()
    assert find_samples(tmp_path).notes == ("empty class folders: fly/, wasp/",)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_training_lacks_is_refused(tmp_path, split):
    make(
        tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", f"{split}/wasp/1.jpg", f"{split}/ant/2.jpg"
    )
    with pytest.raises(DataError, match=rf"only the {split} split has the class wasp; .*cannot be"):
        find_samples(tmp_path)


def test_folders_that_are_one_class_are_noted(tmp_path):
    make(tmp_path, "caf\u00e9/1.jpg", "cafe\u0301/2.jpg", "tea/1.jpg")
    listing = find_samples(tmp_path)
    assert listing.classes == ("caf\u00e9", "tea")
    assert listing.notes == ("the folders 'cafe\\u0301', 'caf\\xe9' are one class, caf\u00e9",)


def test_folders_that_are_no_text_are_classes_of_their_own(tmp_path):
    for name in (b"caf\xe9", b"caf\xe8"):
        make(tmp_path, os.fsdecode(name) + "/1.jpg")
    assert find_samples(tmp_path).classes == ("caf\\udce8", "caf\\udce9")


@pytest.mark.parametrize("above", ["", "train/"])
def test_a_folder_unknown_beside_two_classes_is_no_class(tmp_path, above):
    make(tmp_path, f"{above}ant/1.jpg", f"{above}bee/1.jpg", f"{above}unknown/x/1.jpg")
    listing = find_samples(tmp_path)
    assert listing.classes == ("ant", "bee")
    assert listing.strangers == (tmp_path / f"{above}unknown/x/1.jpg",)
    (note,) = listing.notes
    assert "no class: its 1 file show" in note and "--unknown none" in note
    same = find_samples(tmp_path, strangers=False)
    assert same.classes == ("ant", "bee", "unknown") and not (same.strangers or same.notes)


def test_a_folder_unknown_beside_the_splits_holds_strangers(tmp_path):
    make(tmp_path, "train/ant/1.jpg", "train/bee/1.jpg", "val/ant/2.jpg", "Unknown/1.jpg", "raw/1")
    listing = find_samples(tmp_path)
    assert listing.strangers == (tmp_path / "Unknown/1.jpg",) and len(listing.samples) == 3
    assert listing.notes[0] == "left aside, beside the splits: raw/"


def test_unknown_is_one_of_two_classes_there_must_be(tmp_path):
    make(tmp_path, "ant/1.jpg", "unknown/1.jpg")
    assert find_samples(tmp_path).classes == ("ant", "unknown")


def test_a_list_says_itself_what_is_a_class(tmp_path):
    make(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    (tmp_path / "list.csv").write_text("path,label\n1.jpg,ant\n2.jpg,bee\n3.jpg,unknown\n")
    assert "unknown" in find_samples(tmp_path / "list.csv").classes


def test_a_model_that_knows_no_unknown_is_not_measured_on_it(tmp_path):
    make(tmp_path, "ant/1.jpg", "bee/1.jpg", "unknown/1.jpg")
    samples = find_samples(tmp_path, strangers=False).samples
    assert len(without_strangers(samples, ("ant", "bee"))) == 2
    assert len(without_strangers(samples, ("ant", "bee", "unknown"))) == 3
