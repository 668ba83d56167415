"""Packing pictures into shards, and reading them from there."""

import itertools
import json
import os
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darter.dataset import Loader, PictureCache, find_samples, list_samples, open_pack, pack, scan
from darter.errors import DataError, OptionError
from darter.picture import Augment, decode, locate

AUGMENT = Augment.default(16, "strong")


def batches(root, threads=2, start=0, **options):
    samples = find_samples(root).samples
    labels = sorted({s.label for s in samples})
    loader = Loader(
        [s.path for s in samples],
        [labels.index(s.label) for s in samples],
        AUGMENT,
        batch_size=6,
        seed=3,
        threads=threads,
        **options,
    )
    return [(b.images.copy(), b.targets, b.indices) for b in loader.epoch(2, start)]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_pack_lists_and_holds_what_the_folder_did(photos, packed):
    ours, theirs = find_samples(packed), find_samples(photos)
    assert ours.kind == "pack"
    for mine, sample in zip(ours.samples, theirs.samples, strict=True):
        assert mine.path.relative_to(packed) == sample.path.relative_to(photos)
        assert (mine.label, mine.split) == (sample.label, sample.split)
        assert locate(mine.path).read() == sample.path.read_bytes()
        np.testing.assert_array_equal(decode(mine.path).pixels, decode(sample.path).pixels)
    assert scan(packed).summary() == scan(photos).summary()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_are_the_folders_bit_for_bit(photos, packed, threads):
    reference = batches(photos, threads=1)
    assert_same(batches(packed, threads), reference)
    read_in_order = batches(packed, threads, sequential=8)
    assert_same(read_in_order, batches(packed, 1, sequential=8))
    order = np.concatenate([b[2] for b in read_in_order])
    assert sorted(order) == list(range(41))
    assert_same(read_in_order, batches(photos, threads, order=lambda epoch: order))
    assert_same(batches(packed, threads, sequential=8, cache=PictureCache(0)), read_in_order)


@pytest.mark.parametrize("start", range(8))
def test_sequential_reading_resumes_anywhere(packed, start):
    whole = batches(packed, sequential=8, cache=PictureCache(0))
    assert_same(batches(packed, start=start, sequential=8, cache=PictureCache(0)), whole[start:])


def test_shards_are_read_from_front_to_back(packed, monkeypatch):
    read = []
    original = os.pread

    def pread(descriptor, size, offset):
        read.append((Path(f"/proc/self/fd/{descriptor}").readlink(), offset))
        return original(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    batches(packed, threads=5, sequential=8, cache=PictureCache(0))
    assert len(read) == 41
    shards = [shard for shard, _ in read]
    assert len(set(itertools.pairwise(shards))) < 2 * len(set(shards))  # one by one
    for (shard, offset), (next_shard, next_offset) in itertools.pairwise(read):
        assert shard != next_shard or offset < next_offset


def test_epochs_and_seeds_are_shuffled_differently(packed):
    paths = [s.path for s in find_samples(packed).samples]
    one = Loader(paths, np.zeros(41), AUGMENT, 6, seed=3, sequential=8)
    other = Loader(paths, np.zeros(41), AUGMENT, 6, seed=4, sequential=8)
    orders = [one.indices(0), one.indices(1), other.indices(0)]
    for i in range(3):
        assert sorted(orders[i]) == list(range(41))
        assert not np.array_equal(orders[i], orders[i - 1])
    np.testing.assert_array_equal(one.indices(1), one.indices(1))


def test_a_half_read_epoch_ends_its_threads(packed):
    paths = [s.path for s in find_samples(packed).samples]
    epoch = Loader(paths, np.zeros(41), AUGMENT, 6, sequential=8).epoch(0)
    next(epoch)
    epoch.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("darter")]


def test_shards_are_webdatasets(photos, packed):
    """Members of a sample stand together under one key, which ends at the first dot."""
    seen = {}
    for shard in sorted(packed.glob("*.tar")):
        keys = []
        with tarfile.open(shard) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")
                if not keys or keys[-1] != key:
                    keys.append(key)
                seen.setdefault(key, {})[kind] = tar.extractfile(member).read()
        assert len(keys) == len(set(keys))
    assert len(seen) == 41
    classes = json.loads((packed / "index.json").read_text())["darter"]["classes"]
    for sample in seen.values():
        about = json.loads(sample["json"])
        assert classes[int(sample["cls"])] == about["label"] == Path(about["path"]).parent.name
        kind = next(kind for kind in sample if kind in ("jpg", "png"))
        assert sample[kind] == (photos / about["path"]).read_bytes()


def test_the_webdataset_package_reads_them(packed):
    webdataset = pytest.importorskip("webdataset")
    shards = [str(shard) for shard in sorted(packed.glob("*.tar"))]
    data = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")
    samples = list(data.to_tuple("jpg;png", "cls", "json"))
    assert len(samples) == 41
    for pixels, label, about in samples:
        assert pixels.shape[2] == 3 and about["label"] in about["path"] and 0 <= label < 3


def test_packing_twice_gives_the_same_bytes(photos, packed, tmp_path):
    pack(photos, tmp_path / "again", shard_bytes=20_000)
    for shard in packed.glob("*.tar"):
        assert (tmp_path / "again" / shard.name).read_bytes() == shard.read_bytes()


def test_large_pictures_are_shrunk_and_small_ones_kept(photos, tmp_path):
    made = pack(photos, tmp_path / "small", max_side=40)
    sizes = {s.path.name[:2]: decode(s.path).size for s in find_samples(made.root).samples}
    before = {s.path.name[:2]: decode(s.path).size for s in find_samples(photos).samples}
    assert max(map(max, sizes.values())) == 40
    assert made.shrunk == sum(max(size) > 40 for size in before.values()) > 5
    assert all(sizes[name] == size for name, size in before.items() if max(size) <= 40)
    low = pack(photos, tmp_path / "low", quality=30)
    assert low.shrunk == 41  # and none is named as what it is not
    assert not [f for f in scan(low.root).findings if f.kind == "wrong extension"]
    assert pack(photos, tmp_path / "high", quality=100).shrunk < 41
    assert sum(s.stat().st_size for s in low.root.glob("*.tar")) == low.bytes


def test_unreadable_files_are_left_out_and_named(tmp_path):
    for i in range(4):
        folder = tmp_path / "in" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 30)).save(folder / f"{i}.png")
    (tmp_path / "in" / "a" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "in" / "a" / "gone.png").symlink_to("nowhere")
    kept = pack(tmp_path / "in", tmp_path / "kept")
    assert [name for name, _ in kept.left_out] == ["a/gone.png"]  # bytes are not looked into
    shrunk = pack(tmp_path / "in", tmp_path / "shrunk", max_side=16)
    assert sorted(name for name, _ in shrunk.left_out) == ["a/bad.png", "a/gone.png"]


@pytest.mark.parametrize("moment", ["in a shard", "between shards", "before the index"])
def test_an_interrupted_pack_does_not_look_whole(photos, tmp_path, moment, monkeypatch):
    out = tmp_path / "out"

    def stop(*arguments):
        raise KeyboardInterrupt

    if moment == "before the index":
        monkeypatch.setattr(sys.modules["darter.dataset.pack_index"], "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        at = {"in a shard": 5, "between shards": 30}.get(moment, 99)
        progress = lambda done, total: stop() if done == at else None  # noqa: E731
        pack(photos, out, shard_bytes=20_000, progress=progress)
    monkeypatch.undo()
    for shard in out.glob("*.tar"):
        with tarfile.open(shard) as tar:
            assert len(tar.getnames()) % 3 == 0
    if list(out.glob("*.tar")):
        with pytest.raises(DataError, match=r"no index\.json: packing was interrupted"):
            list_samples(out)
    assert pack(photos, out, shard_bytes=20_000).pictures == 41
    assert len(find_samples(out).samples) == 41


def test_a_killed_pack_is_begun_again(photos, tmp_path):
    (tmp_path / "shard-00000.tar.part").write_bytes(b"half")
    (tmp_path / "shard-00007.tar").write_bytes(b"old")
    pack(photos, tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["index.json", "shard-00000.tar"]


def test_shards_that_are_not_whole_are_refused(photos, tmp_path):
    pack(photos, tmp_path)
    shard = tmp_path / "shard-00000.tar"
    paths = [s.path for s in find_samples(tmp_path).samples]
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    os.utime(tmp_path / "index.json", ns=(1, 1))
    with pytest.raises(DataError, match=r"shard-00000.tar has \d+ bytes, its index says \d+"):
        find_samples(tmp_path)
    shard.unlink()
    with pytest.raises(DataError, match=r"shard-00000.tar is missing"):
        find_samples(tmp_path)
    with pytest.raises(DataError, match=r"shard-00000.tar is missing"):
        decode(paths[0])


def test_a_shard_that_shrinks_under_the_reader_is_named(photos, tmp_path):
    pack(photos, tmp_path)
    paths = [s.path for s in find_samples(tmp_path).samples]
    os.truncate(tmp_path / "shard-00000.tar", 4096)
    loader = Loader(paths, np.zeros(41), AUGMENT, 6, sequential=8, cache=PictureCache(0))
    with pytest.raises(DataError, match="ends early; copy it again"):
        list(loader.epoch(0))


@pytest.mark.parametrize(
    "content", ["{}", "[]", "{", '{"darter": {"version": 9}}', '{"darter": 1}']
)
def test_a_strange_index_is_an_error(tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(DataError, match=r"index\.json"):
        open_pack(tmp_path)


def test_wrong_options_are_named(photos, packed, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(DataError, match=r"not empty: it holds mine\.txt"):
        pack(photos, tmp_path)
    with pytest.raises(DataError, match="not empty"):
        pack(photos, packed)  # a finished pack is never overwritten
    with pytest.raises(DataError, match="is inside"):
        pack(photos, photos / "packed")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot make the folder"):
        pack(photos, tmp_path / "file" / "out")
    with pytest.raises(OptionError, match="quality must be from 1 to 100, got 0"):
        pack(photos, tmp_path / "x", quality=0)
    with pytest.raises(OptionError, match="max_side must be at least 16"):
        pack(photos, tmp_path / "x", max_side=1)
    paths = [s.path for s in find_samples(photos).samples]
    with pytest.raises(OptionError, match="is not in one"):
        Loader(paths, np.zeros(41), AUGMENT, 6, sequential=8)
    inside = [s.path for s in find_samples(packed).samples]
    with pytest.raises(OptionError, match="own order"):
        Loader(inside, np.zeros(41), AUGMENT, 6, sequential=8, order=lambda e: [0])


@pytest.fixture
def with_strangers(tmp_path):
    """ant and bee in train/ and val/, strangers in train/ and beside the splits."""
    folder = tmp_path / "photos"
    names = [f"{split}/{label}/{k}.png" for split in ("train", "val") for label in ("ant", "bee")
             for k in range(3)]  # fmt: skip
    names += ["train/unknown/1.png", "train/unknown/2.png", "unknown/1.png"]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (10 * number, 0, 0)).save(folder / name)
    return folder


def test_strangers_stay_strangers_in_shards_of_their_own(with_strangers, tmp_path):
    out = tmp_path / "packed"
    made = pack(with_strangers, out)
    assert (made.pictures, made.strangers, made.shards) == (12, 3, 2)
    ours, theirs = find_samples(out), find_samples(with_strangers)
    assert [p.relative_to(out) for p in ours.strangers] == [
        p.relative_to(with_strangers) for p in theirs.strangers
    ]
    for path in ours.strangers:
        original = with_strangers / path.relative_to(out)
        assert locate(path).read() == original.read_bytes()
    assert ours.classes == ("ant", "bee") and "no class: its 3 files" in ours.notes[-1]
    with tarfile.open(out / "strangers-00000.tar") as tar:
        assert not [name for name in tar.getnames() if name.endswith(".cls")]
    index = json.loads((out / "index.json").read_text())
    assert [entry["url"] for entry in index["shardlist"]] == ["shard-00000.tar"]
    again = pack(out, tmp_path / "again")
    assert (again.pictures, again.strangers) == (12, 3)


def test_unknown_is_packed_as_a_class_where_it_is_one(with_strangers, tmp_path):
    out = tmp_path / "packed"
    assert pack(find_samples(with_strangers, strangers=False), out).strangers == 0
    assert find_samples(out).classes == ("ant", "bee", "unknown")
    pack(with_strangers, tmp_path / "aside")
    aside = find_samples(tmp_path / "aside", strangers=False)
    assert not aside.strangers and "pack again with --unknown none" in aside.notes[-1]


def test_a_damaged_list_of_strangers_is_said(with_strangers, tmp_path):
    out = tmp_path / "packed"
    pack(with_strangers, out)
    index = json.loads((out / "index.json").read_text())
    index["darter"]["strangers"]["pictures"][0][0] = "../../etc/passwd"
    (out / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match="leads out of the pack"):
        find_samples(out)
    pack_again = tmp_path / "other"
    pack(with_strangers, pack_again)
    (pack_again / "strangers-00000.tar").unlink()
    with pytest.raises(DataError, match=r"strangers-00000.tar is missing"):
        find_samples(pack_again)
