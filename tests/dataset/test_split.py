import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darter.dataset import Audit, PixelStatistics, Sample, Scanned, folds, groups_of, split
from darter.errors import DataError, OptionError


def audit_of(labels, splits=None, groups=None, near=(), equal=()):
    pictures = tuple(
        Scanned(
            Sample(f"{k}.jpg", label, splits[k] if splits else None, groups[k] if groups else None),
            10, 10, "JPEG", str(k), k, False, PixelStatistics.merge(()),
        )
        for k, label in enumerate(labels)
    )  # fmt: skip
    classes = tuple(sorted(set(labels)))
    return Audit("root", "classes", classes, pictures, duplicates=equal, near_duplicates=near)


@st.composite
def audits(draw):
    count = draw(st.integers(4, 60))
    labels = [*"aabb", *draw(st.lists(st.sampled_from("abc"), max_size=count))]
    if labels.count("c") == 1:
        labels.append("c")
    splits = None
    if draw(st.booleans()):
        one = st.sampled_from([None, "train", "val", "test"])
        splits = draw(st.lists(one, min_size=len(labels), max_size=len(labels)))
    groups = None
    if draw(st.booleans()):
        one = st.sampled_from([None, "g1", "g2", "g3"])
        groups = draw(st.lists(one, min_size=len(labels), max_size=len(labels)))
    index = st.integers(0, len(labels) - 1)
    near = draw(st.lists(st.lists(index, min_size=2, max_size=4, unique=True), max_size=5))
    return audit_of(labels, splits, groups, tuple(tuple(sorted(g)) for g in near))


@settings(deadline=None)
@given(audits(), st.integers(0, 100), st.sampled_from([0, 0.15, 0.4]))
def test_split_keeps_its_promises(audit, seed, share):
    parts = split(audit, seed=seed, val=share, test=share)
    assert split(audit, seed=seed, val=share, test=share) == parts
    sides = {"train": parts.train, "val": parts.val, "test": parts.test}
    side_of = {index: name for name, part in sides.items() for index in part}
    assert sum(map(len, sides.values())) == len(audit.pictures) == len(side_of)
    assert all(list(part) == sorted(part) for part in sides.values())
    given_splits = [p.sample.split for p in audit.pictures]
    for index, name in enumerate(given_splits):
        if name in ("val", "test"):
            assert side_of[index] == name
        elif name == "train" or name is None:
            assert side_of[index] == "train" or side_of[index] not in given_splits
    for group in set(groups := groups_of(audit).tolist()):
        members = [k for k, g in enumerate(groups) if g == group]
        free = {side_of[k] for k in members if given_splits[k] not in ("val", "test")}
        fixed = {given_splits[k] for k in members} & {"val", "test"}
        assert len(free) <= 1  # what darter divides stays together,
        assert not fixed or free <= {"train"}  # and is never drawn where a part is given
    for label in audit.classes:
        of_label = [k for k, p in enumerate(audit.pictures) if p.sample.label == label]
        if any(given_splits[k] not in ("val", "test") for k in of_label):
            assert any(side_of[k] == "train" for k in of_label)


def test_shares_are_met_by_class():
    audit = audit_of(["a"] * 100 + ["b"] * 20)
    parts = split(audit, seed=3)
    for part in (parts.val, parts.test):
        labels = [audit.pictures[k].sample.label for k in part]
        assert (labels.count("a"), labels.count("b")) == (15, 3)
    assert parts.how == (
        "Test drawn (18 pictures, seed 3); val drawn (18 pictures, seed 3); "
        "by class; near-duplicates and groups stay on one side."
    )


def test_different_seeds_draw_differently():
    audit = audit_of(["a", "b"] * 50)
    assert split(audit, seed=0).test != split(audit, seed=1).test


def test_given_test_stands_and_val_comes_from_train():
    labels = ["a", "b"] * 20
    splits = ["test" if k < 10 else "train" for k in range(40)]
    parts = split(audit_of(labels, splits), seed=0)
    assert parts.test == tuple(range(10))
    assert len(parts.val) == 4
    assert parts.how.startswith("Test as given; val drawn (4 pictures, seed 0)")


def test_groups_with_several_labels_are_divided_by_group():
    labels = [label for _ in range(20) for label in "ab"]
    patients = [f"patient {k // 2}" for k in range(40)]
    parts = split(audit_of(labels, groups=patients), seed=0)
    assert len(parts.test) == len(parts.val) == 6
    assert {patients[k] for k in parts.test}.isdisjoint(patients[k] for k in parts.train)


@pytest.mark.parametrize("seed", range(10))
def test_rest_of_a_group_in_a_given_split_is_never_drawn(seed):
    splits = ["test"] * 4 + ["train"] * 16
    near = tuple((k, k + 4) for k in range(4))  # leaks: four of train are like four of test
    parts = split(audit_of(["a", "b"] * 10, splits, near=near), seed=seed, val=0.4)
    assert parts.test == (0, 1, 2, 3)
    assert set(parts.val).isdisjoint(range(8))


def test_class_of_two_gives_one_to_test():
    parts = split(audit_of(["a"] * 10 + ["b"] * 2), seed=0)
    assert sum(k >= 10 for k in parts.test) == 1
    assert sum(k >= 10 for k in parts.train) == 1


def test_lonely_class_is_an_error_that_names_it():
    with pytest.raises(DataError, match="class b has fewer than two usable pictures; two"):
        split(audit_of(["a"] * 10 + ["b"]), seed=0)


@pytest.mark.parametrize("shares", [(-0.1, 0.1), (0.5, 0.5), (1, 0)])
def test_impossible_shares_are_an_error(shares):
    with pytest.raises(OptionError, match="sum to less than 1"):
        split(audit_of(["a", "b"] * 5), seed=0, val=shares[0], test=shares[1])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15)), min_size=1, max_size=80),
    st.integers(2, 6),
    st.integers(0, 9),
)
def test_folds_keep_their_promises(pictures, k, seed):
    labels, groups = map(list, zip(*pictures, strict=True))
    if len(set(groups)) < k:
        with pytest.raises(OptionError, match="folds: k is"):
            folds(labels, groups, k, seed)
        return
    parts = folds(labels, groups, k, seed)
    held = np.concatenate([held for _, held in parts])
    assert sorted(held.tolist()) == list(range(len(labels)))
    for train, out in parts:
        assert sorted([*train.tolist(), *out.tolist()]) == list(range(len(labels)))
        assert {groups[i] for i in train}.isdisjoint({groups[i] for i in out})


@given(st.lists(st.sampled_from("abc"), min_size=12, max_size=90), st.integers(2, 5))
def test_folds_of_single_pictures_are_stratified(labels, k):
    parts = folds(labels, range(len(labels)), k, seed=0)
    for label in set(labels):
        counts = [sum(labels[i] == label for i in out) for _, out in parts]
        assert max(counts) - min(counts) <= 1
    sizes = [len(out) for _, out in parts]
    assert max(sizes) - min(sizes) <= len(set(labels))
