import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.dataset import (
    PixelStatistics,
    check_unchanged,
    find_samples,
    pack,
    scan,
    split,
)
from darter.errors import DataError
from darter.files import read_json, write_json
from tests.picture.odd_files import encoded, jpeg, picture


def write(root, label, count, seed, split=""):
    rng = np.random.default_rng(seed)
    folder = root / split / label
    folder.mkdir(parents=True, exist_ok=True)
    images = [picture(rng) for _ in range(count)]
    for number, image in enumerate(images):
        (folder / f"{number:02}.jpg").write_bytes(jpeg(image))
    return images


def write_parts(root, **counts):
    """Different pictures of two classes in each of these parts."""
    for seed, (part, count) in enumerate(counts.items()):
        for number, label in enumerate(("ant", "bee")):
            write(root, label, count, 10 * seed + number, part)


def copy(root, source, *targets):
    for target in targets:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).write_bytes((root / source).read_bytes())


def test_copies_of_test_pictures_are_taken_out_of_training(tmp_path):
    write_parts(tmp_path, train=8, val=3, test=3)
    copy(tmp_path, "test/ant/00.jpg", "train/ant/x.jpg", "train/ant/y.jpg", "val/ant/x.jpg")
    copy(tmp_path, "val/bee/01.jpg", "train/bee/x.jpg")
    audit = scan(tmp_path)
    assert [(f.path, f.kind, f.action, f.detail) for f in audit.findings] == [
        ("train/ant/x.jpg", "leak", "left out", "a copy of test/ant/00.jpg, which is in test"),
        ("train/ant/y.jpg", "leak", "left out", "a copy of test/ant/00.jpg, which is in test"),
        ("train/bee/x.jpg", "leak", "left out", "a copy of val/bee/01.jpg, which is in val"),
        ("val/ant/x.jpg", "leak", "left out", "a copy of test/ant/00.jpg, which is in test"),
    ]
    assert audit.copies_left_out == 4 and not audit.alike
    parts = split(audit, seed=0)
    assert [len(part) for part in (parts.train, parts.val, parts.test)] == [16, 6, 6]
    assert parts.how.endswith("near-duplicates and groups stay on one side.")
    assert any(line.startswith("4 pictures left out of your training") for line in audit.summary())


def test_a_test_named_apart_is_kept_apart(tmp_path):
    write_parts(tmp_path / "mine", **{"": 8})
    write_parts(tmp_path / "new", **{"": 2})  # the same seeds: all of them are copies
    audit = scan(find_samples(tmp_path / "mine", test=tmp_path / "new"))
    assert audit.copies_left_out == 4
    assert [p.sample.split for p in audit.pictures].count("test") == 4
    assert all("mine" in f.path or "new" not in f.path for f in audit.findings)


def test_near_duplicates_of_test_pictures_stay_and_are_said(tmp_path):
    images = write(tmp_path, "ant", 8, 0, "train")
    write(tmp_path, "bee", 8, 1, "train")
    write_parts(tmp_path, test=3)
    (tmp_path / "test" / "ant" / "leak.jpg").write_bytes(jpeg(images[4].resize((40, 30))))
    audit = scan(tmp_path)
    assert [(f.path, f.kind, f.detail) for f in audit.findings if f.kind == "near leak"] == [
        (
            "test/ant/leak.jpg", "near leak",
            "nearly the same as train/ant/04.jpg, which is in train",
        ),
    ]  # fmt: skip
    parts = split(audit, seed=0)
    assert [audit.name(index) for index in audit.alike] == ["test/ant/leak.jpg"]
    assert set(audit.alike) <= set(parts.test)
    assert parts.how.endswith("in your own parts 1 near-duplicate is on two sides.")
    words = " ".join(audit.summary())
    assert "1 picture of your validation and test parts is nearly the same as" in words
    assert "stays on one side" not in words


def test_divided_groups_are_said(tmp_path):
    write_parts(tmp_path, **{"": 6})
    rows = ["path,label,split,group"]
    for label in ("ant", "bee"):
        rows += [f"{label}/0{k}.jpg,{label},{'test' if k < 2 else ''},g{k % 4}" for k in range(6)]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    audit = scan(tmp_path / "list.csv")
    assert audit.divided == 2  # g0 and g1: pictures 0 and 1 are in test, 4 and 5 are not
    assert split(audit, seed=0).how.endswith("in your own parts 2 groups are on two sides.")


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_whose_training_pictures_are_all_copies_cannot_be_learned(tmp_path, part):
    write_parts(tmp_path, train=8, **{part: 3})
    write(tmp_path, "wasp", 2, 77, part)
    for name in ("00.jpg", "01.jpg"):
        copy(tmp_path, f"{part}/wasp/{name}", f"train/wasp/{name}")
    audit = scan(tmp_path)
    assert (
        f"class wasp has pictures in the {part} split only, so it cannot be learned" in audit.notes
    )
    with pytest.raises(DataError, match="no usable picture to train on in wasp"):
        split(audit, seed=0)


def test_exact_copies_are_a_group_and_stay_together(tmp_path):
    images = write(tmp_path, "ant", 8, 0)
    write(tmp_path, "bee", 8, 1)
    for name, format in (("copy.png", "PNG"), ("copy.bmp", "BMP")):
        (tmp_path / "bee" / name).write_bytes(encoded(picture(np.random.default_rng(9)), format))
    small = images[3].resize((40, 30))
    (tmp_path / "ant" / "small.jpg").write_bytes(jpeg(small))
    audit = scan(tmp_path)
    assert [[audit.name(i) for i in g] for g in audit.duplicates] == [
        ["bee/copy.bmp", "bee/copy.png"]
    ]
    assert [[audit.name(i) for i in g] for g in audit.near_duplicates] == [
        ["ant/03.jpg", "ant/small.jpg"]
    ]
    assert audit.conflicts == () and audit.findings == ()
    assert "1 exact copy, in 1 group." in audit.summary()


def test_near_duplicate_in_another_class_is_noted_and_used(tmp_path):
    images = write(tmp_path, "ant", 8, 0)
    write(tmp_path, "bee", 8, 1)
    (tmp_path / "bee" / "small.jpg").write_bytes(jpeg(images[3].resize((40, 30))))
    audit = scan(tmp_path)
    assert {(f.path, f.kind) for f in audit.findings} == {
        ("ant/03.jpg", "similar in another class"), ("bee/small.jpg", "similar in another class"),
    }  # fmt: skip
    assert len(audit.pictures) == 17


def test_missing_file_of_a_csv_is_a_finding(tmp_path):
    write(tmp_path, "ant", 3, 0)
    write(tmp_path, "bee", 3, 1)
    lines = [f"{label}/{k:02}.jpg,{label}" for label in ("ant", "bee") for k in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines]))
    audit = scan(tmp_path / "list.csv")
    assert [(f.path, f.kind) for f in audit.findings] == [
        ("ant/03.jpg", "missing"), ("bee/03.jpg", "missing"),
    ]  # fmt: skip


def test_what_holds_for_every_picture_is_one_note(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("one", "two"):
        (tmp_path / label).mkdir()
        for number in range(5):
            image = picture(rng, 8, 8).convert("L")
            (tmp_path / label / f"{number}.png").write_bytes(encoded(image, "PNG"))
    audit = scan(tmp_path)
    assert audit.findings == ()
    assert audit.notes == ("all pictures are grey", "all pictures are very small")
    assert all(p.grey and (p.width, p.height) == (8, 8) for p in audit.pictures)


def test_small_lost_and_uneven_classes_are_noted(tmp_path):
    write(tmp_path, "ant", 8, 0)
    write(tmp_path, "bee", 2, 1)
    (tmp_path / "wasp").mkdir()
    (tmp_path / "wasp" / "broken.jpg").write_bytes(b"")
    audit = scan(tmp_path)
    assert audit.notes == (
        "class wasp has no usable picture",
        "fewer than 4 per class: bee (2); 4 different pictures are needed, two to learn "
        "from and one each to validate and to test",
    )
    assert audit.imbalance == 4
    assert "The largest class has 4 times the smallest." in audit.summary()


def test_nothing_usable_is_an_error_with_the_reasons(tmp_path):
    for label in ("ant", "bee"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.jpg").write_bytes(b"")
    audit = scan(tmp_path)
    assert [f.kind for f in audit.left_out] == ["empty", "empty"]
    with pytest.raises(DataError, match=r"of 2 files are 2 empty.*darter audit"):
        split(audit, seed=0)


def test_cap_threads_and_progress(tmp_path):
    write(tmp_path, "ant", 4, 0)
    write(tmp_path, "bee", 4, 1)
    (tmp_path / "ant" / "big.jpg").write_bytes(jpeg(picture(np.random.default_rng(5), 200, 200)))
    calls = []
    audit = scan(find_samples(tmp_path), max_pixels=10_000, progress=lambda *c: calls.append(c))
    assert [(f.path, f.kind) for f in audit.findings] == [("ant/big.jpg", "huge")]
    assert calls == [(k + 1, 9) for k in range(9)]


def test_json_survives_a_name_that_is_not_utf8(tmp_path):
    write(tmp_path / "p", "ant", 3, 0)
    write(tmp_path / "p", "bee", 3, 1)
    odd = tmp_path / "p" / "ant" / "\udcff.jpg"
    odd.write_bytes(b"")
    audit = scan(tmp_path / "p")
    write_json(tmp_path / "audit.json", audit.to_json())
    assert read_json(tmp_path / "audit.json")["findings"][0]["path"] == "ant/\udcff.jpg"


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4))
def test_merged_statistics_are_those_of_all_pixels(sizes):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]
    merged = PixelStatistics.merge(PixelStatistics.of(p) for p in pictures)
    pixels = np.concatenate([p.reshape(-1, 3) for p in pictures]) / 255
    if all(h * w < 4096 for h, w in sizes):  # below that every pixel counts
        assert merged.count == len(pixels)
        np.testing.assert_allclose(merged.mean, pixels.mean(axis=0), atol=1e-12)
        expected = np.cov(pixels.T, bias=True)
        np.testing.assert_allclose(merged.covariance, expected, atol=1e-12)
    again = PixelStatistics.from_dict(merged.to_dict())
    assert np.array_equal(again.covariance, merged.covariance) and again.count == merged.count


@pytest.mark.parametrize("shape", [(1, 9000), (9000, 1), (3000, 2000)])
def test_statistics_sample_large_pictures_evenly(shape):
    ramp = np.linspace(0, 255, max(shape)).astype(np.uint8)
    plane = np.broadcast_to(ramp if shape[1] == max(shape) else ramp[:, None], shape)
    found = PixelStatistics.of(np.repeat(plane[:, :, None], 3, axis=2))
    assert 500 < found.count < 10_000
    np.testing.assert_allclose(found.mean, 0.5, atol=0.01)


def test_a_picture_that_was_replaced_after_the_audit_is_noticed(tmp_path):
    images = write(tmp_path, "ant", 3, 0)
    write(tmp_path, "bee", 3, 1)
    pictures = scan(tmp_path).pictures
    check_unchanged(pictures)
    os.utime(tmp_path / "ant" / "00.jpg", ns=(1, 1))
    check_unchanged(pictures)  # touched, but the same
    (tmp_path / "ant" / "01.jpg").write_bytes(jpeg(images[2]))
    with pytest.raises(DataError, match=r"ant/01\.jpg was replaced by another picture since the"):
        check_unchanged(pictures)
    (tmp_path / "ant" / "01.jpg").unlink()
    with pytest.raises(DataError, match=r"ant/01\.jpg is missing since the audit"):
        check_unchanged(pictures)


def test_packed_pictures_are_unchanged_while_their_shard_is(tmp_path, monkeypatch):
    write(tmp_path / "in", "ant", 3, 0)
    write(tmp_path / "in", "bee", 3, 1)
    pack(tmp_path / "in", tmp_path / "out")
    pictures = scan(tmp_path / "out").pictures
    reading = sys.modules["darter.dataset.reading"]
    monkeypatch.setattr(reading, "read_picture", lambda *_: pytest.fail("read again"))
    check_unchanged(pictures)
