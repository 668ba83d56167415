import copy
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from darter.errors import DataError
from darter.transfer import features
from darter.transfer.extract import engine_extractor, extractor, torch_extractor

SIZE = 64


@pytest.fixture
def preprocess(backbone):
    return backbone.preprocess(SIZE)


@pytest.fixture
def small(backbone):
    """The last rows of a run are compared, so precision is pinned to float32."""
    return torch_extractor(backbone, torch.device("cpu"), torch.float32)


def test_rows_are_what_a_classifiers_head_reads(backbone, preprocess, pictures):
    found = features(backbone, pictures, preprocess)
    assert found.last.shape == (12, 1280)
    assert {k: v.shape[1] for k, v in found.inner.items()} == backbone.taps
    x = torch.from_numpy(preprocess.batch(pictures))
    with torch.no_grad():
        expected = backbone.read(x, "all").numpy()
    # bfloat16, where the machine has it, keeps 8 bits.
    assert np.abs(found.read("all") - expected).max() < 0.05 * np.abs(expected).max()
    assert np.array_equal(found.read("last"), found.last)


def test_exported_net_gives_the_same_rows(backbone, small):
    x = np.random.default_rng(0).normal(size=(3, 3, SIZE, SIZE)).astype(np.float32)
    fast = engine_extractor(backbone, SIZE, batch=4)
    assert np.abs(fast(x) - small(x)).max() < 1e-3


def test_export_is_used_only_where_it_pays(backbone, monkeypatch):
    monkeypatch.setattr("darter.transfer.extract.engine_extractor", lambda *a: "onnx")
    monkeypatch.setattr("darter.transfer.extract.torch_extractor", lambda *a: "torch")
    assert extractor(backbone, 224, 100, 16) == "torch"
    assert extractor(backbone, 224, 50_000, 16) == "onnx"
    assert extractor(backbone, 64, 2_000, 16) == "torch"


def test_mirrored_rows_belong_to_mirrored_pictures(backbone, preprocess, pictures):
    preprocess = backbone.preprocess(SIZE, crop="squash")  # a middle crop may be off by a pixel
    found = features(backbone, pictures[:4], preprocess, mirror=True)
    flipped = [type(p)(np.ascontiguousarray(p.pixels[:, ::-1]), ()) for p in pictures[:4]]
    expected = features(backbone, flipped, preprocess)
    assert np.abs(found.mirrored.last - expected.last).max() < 0.05 * expected.last.max()


def test_second_run_computes_nothing(backbone, preprocess, pictures, tmp_path, monkeypatch):
    first = features(backbone, pictures, preprocess, cache_dir=tmp_path)

    def fail(*args):
        raise AssertionError("computed again")

    monkeypatch.setattr(sys.modules["darter.transfer.features"], "extractor", fail)
    seen = []
    again = features(
        backbone, pictures[::-1], preprocess, cache_dir=tmp_path, progress=lambda *a: seen.append(a)
    )
    assert np.array_equal(again.last, first.last[::-1])
    assert seen == [(12, 12)]


def test_only_new_pictures_are_computed(backbone, preprocess, pictures, tmp_path):
    features(backbone, pictures[:5], preprocess, cache_dir=tmp_path)
    seen = []
    features(backbone, pictures, preprocess, cache_dir=tmp_path, progress=lambda *a: seen.append(a))
    assert seen == [(5, 12), (12, 12)]


@pytest.mark.filterwarnings("ignore:features are not kept")
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "rows", "width", "numbers", "folder"])
def test_damaged_cache_is_computed_again_and_said_once(
    backbone, preprocess, pictures, tmp_path, damage
):
    first = features(backbone, pictures[:3], preprocess, cache_dir=tmp_path)
    (file,) = tmp_path.rglob("*.npz")
    content = file.read_bytes()
    with np.load(file) as kept:
        digests = kept["digests"]
    replaced = {
        "rows": (np.array(["a", "b"]), np.zeros((1, 4), np.float32)),
        "width": (digests, np.zeros((3, 4), np.float32)),
        "numbers": (np.arange(3), np.zeros((3, 4), np.float32)),
    }
    if damage in replaced:
        with file.open("wb") as out:
            np.savez(out, digests=replaced[damage][0], rows=replaced[damage][1])
    elif damage == "folder":
        file.unlink()
        file.mkdir()
        (file / "inside").write_text("")
    else:
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"x"}[damage])
    with pytest.warns(match="cannot be used .*computed again") as said:
        again = features(backbone, pictures[:3], preprocess, cache_dir=tmp_path)
    assert len([w for w in said if "features" in str(w.message)]) <= 1 + (
        damage == "folder"  # which cannot be replaced
    )
    assert np.array_equal(first.last, again.last)


def test_a_cache_that_cannot_be_written_is_one_line(
    backbone, preprocess, pictures, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys.modules["darter.transfer.features"], "_SHARD", 2)
    (tmp_path / "file").write_text("")
    first = features(backbone, pictures[:5], preprocess)
    with pytest.warns(match="features are not kept for the next run: cannot write") as said:
        again = features(backbone, pictures[:5], preprocess, cache_dir=tmp_path / "file")
    assert len(said) == 1
    assert np.array_equal(first.last, again.last)


def test_features_stay_on_the_cpu_where_it_is_named(backbone, monkeypatch):
    from darter.transfer.extract import extractor

    extract = sys.modules["darter.transfer.extract"]
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(extract, "torch_extractor", lambda net, device, dtype: taken.append(device))
    for device in ("auto", "cuda", "cpu", "mps"):
        extractor(backbone, SIZE, 4, 4, device)
    assert [device.type for device in taken] == ["cuda", "cuda", "cpu", "cpu"]


def test_other_weights_or_preprocessing_do_not_share_rows(backbone, pictures, tmp_path):
    other = copy.deepcopy(backbone)
    with torch.no_grad():
        other.net.conv_stem.weight.mul_(0.5)
    for which, size in ((backbone, 64), (other, 64), (backbone, 96)):
        features(which, pictures[:2], which.preprocess(size), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_files_are_read_and_a_bad_one_is_named(backbone, preprocess, pictures, tmp_path):
    Image.fromarray(pictures[0].pixels).save(tmp_path / "good.png")
    from_file = features(backbone, [tmp_path / "good.png"], preprocess)
    from_pixels = features(backbone, pictures[:1], preprocess)
    assert np.array_equal(from_file.last, from_pixels.last)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad\.png"):
        features(backbone, [tmp_path / "good.png", tmp_path / "bad.png"], preprocess)
    with pytest.raises(DataError, match=r"gone\.png"):
        features(backbone, [tmp_path / "gone.png"], preprocess)


def test_subset_keeps_rows_together(backbone, preprocess, pictures):
    found = features(backbone, pictures[:4], preprocess, mirror=True)
    part = found.take(np.array([2, 0]))
    assert len(part) == 2
    assert np.array_equal(part.last, found.last[[2, 0]])
    assert np.array_equal(part.mirrored.read("all"), found.mirrored.read("all")[[2, 0]])
