"""Several labels per picture: lists, membership, and splits that give each label its share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darter.dataset import Sample, find_samples, open_pack, pack, scan, split
from darter.dataset.labels import membership, split_labels
from darter.dataset.split import _draw
from darter.errors import DataError

RNG = np.random.default_rng(0)


def write_list(folder, rows, header="path,labels"):
    for number in range(len(rows)):
        pixels = RNG.integers(0, 256, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    lines = [f'{number}.png,"{labels}"' for number, labels in enumerate(rows)]
    (folder / "list.csv").write_text("\n".join([header, *lines]))
    return folder / "list.csv"


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("cat", ("cat",)),
        ("dog|cat", ("cat", "dog")),
        (" dog ; cat;dog ", ("cat", "dog")),
        ("", ()),
        ("|", ()),
    ],
)
def test_labels_of_a_cell(cell, labels):
    assert split_labels(cell) == labels


def test_a_list_with_several_labels(tmp_path):
    listing = find_samples(write_list(tmp_path, ["a|b", "b", "", "a, c"]))
    assert listing.task == "multilabel" and listing.classes == ("a", "b", "c")
    assert [s.labels for s in listing.samples] == [("a", "b"), ("b",), (), ("a", "c")]
    audit = scan(listing)
    assert audit.task == "multilabel" and audit.counts["a"] == {"unassigned": 2}
    table = membership([p.sample for p in audit.pictures], ("a", "c"))
    assert table.tolist() == [[True, False], [False, False], [False, False], [True, True]]


def test_a_list_says_which_column_it_means(tmp_path):
    file = write_list(tmp_path, ["a", "b"], header="path,label,labels")
    with pytest.raises(DataError, match="has both columns, label and labels"):
        find_samples(file)


def test_several_labels_survive_packing(tmp_path):
    (tmp_path / "photos").mkdir()
    listing = find_samples(write_list(tmp_path / "photos", ["a|b", "b", "", "a"]))
    pack(listing, tmp_path / "packed")
    again = find_samples(tmp_path / "packed")
    assert again.task == "multilabel"
    assert [s.target for s in again.samples] == [s.target for s in listing.samples]
    assert open_pack(tmp_path / "packed").samples == again.samples


def test_every_label_is_measured_and_learned(tmp_path):
    rows = ["common|rare" if n % 10 == 0 else "common" for n in range(40)] + ["other"] * 20
    audit = scan(find_samples(write_list(tmp_path, rows)))
    parts = split(audit, seed=0)
    for part in (parts.train, parts.val, parts.test):
        seen = {label for i in part for label in audit.pictures[i].sample.labels}
        assert seen == {"common", "rare", "other"}
    assert 6 <= len(parts.test) <= 12


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=4, max_size=40))
def test_drawing_leaves_each_label_in_train(rows):
    has = np.array(rows)
    sides = np.full(len(rows), "train", object)
    targets = np.maximum(1, np.rint(0.2 * has.sum(axis=0))).astype(int)
    groups = np.arange(len(rows)) // 2
    _draw(sides, has, groups, targets, "test", np.random.default_rng(0))
    kept = has[sides == "train"].any(axis=0)
    np.testing.assert_array_equal(kept, has.any(axis=0))
    assert all(len(set(sides[groups == g])) == 1 for g in set(groups))


def test_labels_that_are_no_class_are_left_out():
    samples = [Sample("1", ("a", "z")), Sample("2", "z")]
    assert membership(samples, ("a",)).tolist() == [[True], [False]]
