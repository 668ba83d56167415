"""One folder with every kind of broken or odd file among good ones: each named, none fatal."""

import hashlib
import json

import numpy as np
import pytest

from darter.dataset import find_samples, pixel_statistics, scan, split
from darter.picture import KINDS
from tests.picture.odd_files import CLASSES, ODD, write_odd_folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    root = tmp_path_factory.mktemp("odd") / "pictures"
    expected = write_odd_folder(root)
    before = digests(root)
    audit = scan(root, threads=2)
    return root, expected, audit, before


def digests(root):
    files = [p for p in root.rglob("*") if p.is_file() and not p.is_symlink()]
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def kinds_by_path(audit):
    found: dict[str, set[str]] = {}
    for finding in audit.findings:
        found.setdefault(finding.path, set()).add(finding.kind)
    return found


def test_every_odd_file_is_named_with_its_kinds(odd):
    _, expected, audit, _ = odd
    assert kinds_by_path(audit) == expected
    assert len(expected) >= 30


def test_the_odd_folder_covers_the_table_of_kinds():
    by_listing_or_split = {
        "missing",
        "leak",
        "near leak",
        "similar in another class",
        "class too small",
    }
    of_targets = {
        *("broken annotation", "no captions", "no boxes", "annotated twice", "not annotated"),
        *("broken box", "unknown class", "box without area", "box outside", "box of all"),
        *("box beyond the edge", "box reversed", "box doubled", "boxes rotated", "boxes unsure"),
        *("other size", "other shape", "one box, two classes", "tiny object"),
    }
    by_the_range = {"float", "beyond the range"}  # with others than in [0, 1] beside them
    shown = {kind for kinds, _ in ODD.values() for kind in kinds}
    shown |= {"not a file", "unreadable", "conflict"}
    assert shown == set(KINDS) - by_listing_or_split - of_targets - by_the_range - {"color space"}


def test_actions_decide_who_is_used(odd):
    root, _, audit, _ = odd
    used = {p.sample.path.relative_to(root).as_posix() for p in audit.pictures}
    left_out = {f.path for f in audit.findings if f.action == "left out"}
    assert not used & left_out
    assert all(f.action == KINDS[f.kind].action for f in audit.findings)
    every = {s.path.relative_to(root).as_posix() for s in find_samples(root).samples}
    assert used | left_out == every
    assert "stone/shelf.jpg/box/deep.jpg" in used


def test_conflict_names_files_and_labels(odd):
    _, _, audit, _ = odd
    (conflict,) = audit.conflicts
    assert conflict.paths == ("leaf/in_both.png", "stone/same_again.png")
    assert conflict.labels == CLASSES


def test_result_does_not_depend_on_threads(odd):
    root, _, audit, _ = odd
    assert scan(root, threads=1).to_json() == audit.to_json()


def test_json_can_be_written_and_holds_no_numpy(odd):
    _, _, audit, _ = odd
    assert json.loads(json.dumps(audit.to_json())) == audit.to_json()


def test_nothing_is_modified(odd):
    root, _, _, before = odd
    assert digests(root) == before


def test_the_rest_can_be_split_and_measured(odd):
    _, _, audit, _ = odd
    parts = split(audit, seed=1)
    assert sorted(parts.train + parts.val + parts.test) == list(range(len(audit.pictures)))
    statistics = pixel_statistics(audit.pictures[index] for index in parts.train)
    assert statistics.count > 0
    assert np.all(np.linalg.eigvalsh(statistics.covariance) >= 0)
