"""Files of floats and 32-bit numbers: one range for the whole data set, from audit to use."""

import numpy as np
import pytest
from PIL import Image

from darter.dataset import Loader, find_samples, open_pack, pack, scan
from darter.errors import OptionError
from darter.picture import Augment, Preprocess, decode


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def heights(tmp_path):
    """Two classes that differ only in how large their numbers are."""
    root = tmp_path / "heights"
    rng = np.random.default_rng(0)
    for label, base in (("low", 100), ("high", 700)):
        for number in range(4):
            write(root / label / f"{number}.tif", base + rng.random((32, 40), np.float32) * 100)
    write(root / "low" / "counts.tif", rng.integers(-50, 90, (32, 40)).astype(np.int32))
    write(root / "low" / "plain.png", rng.integers(0, 255, (32, 40)).astype(np.uint8))
    return root


def test_one_range_for_all(heights):
    audit = scan(heights, threads=2)
    assert not audit.left_out and len(audit.pictures) == 10
    black, white = audit.value_range
    assert -50 <= black < 0 and 790 < white < 800
    means = {p.sample.path.name: p.pixels.mean[0] for p in audit.pictures}
    assert len(means) >= 6
    by_class = {
        label: np.mean(
            [
                np.mean(decode(p.sample.path, value_range=p.value_range).pixels)
                for p in audit.pictures
                if p.sample.label == label and p.value_range
            ]
        )
        for label in audit.classes
    }
    assert by_class["high"] - by_class["low"] > 100  # a range of its own would make them equal
    assert any("9 pictures of numbers" in note for note in audit.notes)
    assert audit.to_json()["value_range"] == [black, white]
    assert next(p for p in audit.pictures if p.format == "PNG").value_range is None
    assert {f.kind for f in audit.findings} >= {"measured range"}
    assert scan(heights, threads=1).value_range == audit.value_range


def test_floats_of_0_to_1_alone_mean_what_they_say(tmp_path):
    rng = np.random.default_rng(0)
    for label in "ab":
        for number in range(3):
            write(tmp_path / label / f"{number}.tif", rng.random((32, 40), np.float32) / 2)
    audit = scan(tmp_path)
    assert audit.value_range is None and {f.kind for f in audit.findings} == {"float"}


def test_every_path_reads_with_the_range(heights, tmp_path):
    audit = scan(heights)
    preprocess = Preprocess(32, 32, "squash", value_range=audit.value_range)
    again = Preprocess.from_dict(preprocess.to_dict())
    assert again == preprocess and again.value_range == audit.value_range
    paths = [p.sample.path for p in audit.pictures]
    alone = preprocess.batch(paths)
    augment = Augment((), 32, crop="squash", value_range=audit.value_range)
    pack(heights, tmp_path / "packed", max_side=16)
    for transform in (preprocess, augment):
        loader = Loader(paths, np.zeros(len(paths)), transform, len(paths), shuffle=False)
        for _ in range(2):  # from the file, then from the cache
            np.testing.assert_allclose(next(iter(loader)).images, alone, atol=1e-5)
    packed = tmp_path / "packed"
    floats = [s.path for s in open_pack(packed).samples if s.path.suffix == ".tif"]
    assert len(floats) == 9
    for path in floats:
        there = preprocess(heights / path.relative_to(packed))
        np.testing.assert_array_equal(preprocess(path), there)


def test_beyond_the_range_is_cut_and_noted(tmp_path):
    write(tmp_path / "a.tif", np.array([[0, 5, 10, 20, -3]], np.float32))
    found = decode(tmp_path / "a.tif", value_range=(0, 10))
    assert found.pixels[0, :, 0].tolist() == [0, 128, 255, 255, 0]
    assert found.notes == ("measured range", "beyond the range")


@pytest.mark.parametrize("wrong", [3, (1,), (1, float("nan")), (2, 1), "ab", (True, 2)])
def test_a_range_is_two_numbers(wrong):
    with pytest.raises(OptionError, match="value_range must"):
        Preprocess(32, value_range=wrong)


def test_listing_is_kept(heights):
    assert len(scan(find_samples(heights)).pictures) == 10
