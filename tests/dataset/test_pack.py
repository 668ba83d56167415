"""Packing pictures into shards, and reading them from there."""

import io
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


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(41):
        folder = root / ("train" if i % 4 else "test") / ("bee", "wasp's nest", "Ämse")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        width, height = map(int, rng.integers(20, 60, 2))
        coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
        suffix = ("jpg", "png", "v2.JPG")[i % 3]
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
        picture.save(folder / f"{i:02} ü.{suffix}", {"png": "PNG"}.get(suffix, "JPEG"))
    return root


@pytest.fixture(scope="module")
def packed(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed")
    made = pack(photos, out, shard_bytes=20_000)
    assert (made.pictures, made.shrunk, made.left_out) == (41, 0, ())
    assert made.shards == len(list(out.glob("shard-*.tar"))) > 3
    return out


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
        monkeypatch.setattr(sys.modules["darter.dataset.pack"], "write_json", stop)
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


def test_a_csv_with_files_from_elsewhere(photos, tmp_path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    rows = ["path,label,split,group"]
    for i in range(4):
        buffer = io.BytesIO()
        Image.new("RGB", (20 + i, 20)).save(buffer, "PNG")
        (outside / f"{i}.png").write_bytes(buffer.getvalue())
        rows.append(f"{outside / f'{i}.png'},{'ab'[i % 2]},train,g{i // 2}")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.csv").write_text("\n".join(rows))
    pack(tmp_path / "lists" / "list.csv", tmp_path / "packed")
    samples = find_samples(tmp_path / "packed").samples
    assert [(s.label, s.split, s.group) for s in samples] == [
        ("a", "train", "g0"), ("b", "train", "g0"), ("a", "train", "g1"), ("b", "train", "g1"),
    ]  # fmt: skip
    assert [decode(s.path).size[0] for s in samples] == [20, 21, 22, 23]


def write_picture(path, width):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 20)).save(path.with_name("made.png"))
    path.with_name("made.png").rename(path)


def widths(root):
    return sorted(decode(sample.path).size[0] for sample in find_samples(root).samples)


def test_names_that_are_no_text_stay_apart(tmp_path):
    for number, name in enumerate((b"caf\xe9.png", b"caf\xe8.png", "caf\ufffd.png".encode())):
        write_picture(tmp_path / "in" / "a" / os.fsdecode(name), 20 + number)
        write_picture(tmp_path / "in" / "b" / f"{number}.png", 30 + number)
    assert pack(tmp_path / "in", tmp_path / "out").pictures == 6
    assert widths(tmp_path / "out") == [20, 21, 22, 30, 31, 32]
    names = {sample.path.name for sample in find_samples(tmp_path / "out").samples}
    assert os.fsdecode(b"caf\xe9.png") in names


def test_a_name_that_is_made_meets_no_other(tmp_path):
    """Pictures that become JPEGs get another suffix, those from elsewhere another folder."""
    names = ("x", "x.jpg", "x.png", "x.png.jpg", "x.png~2.jpg", "x.JPG")
    for number, name in enumerate(names):
        write_picture(tmp_path / "in" / "a" / name, 30 + number)
        write_picture(tmp_path / "in" / "outside" / f"{number}.png", 40 + number)
        write_picture(tmp_path / f"{number}.png", 50 + number)
    rows = [f"a/{name},a" for name in names]
    rows += [f"outside/{k}.png,b" for k in range(6)] + [f"../{k}.png,c" for k in range(6)]
    (tmp_path / "in" / "list.csv").write_text("\n".join(["path,label", *rows]))
    expected = [first + k for first in (30, 40, 50) for k in range(6)]
    for number, options in enumerate(({}, {"quality": 40}, {"max_side": 16})):
        out = tmp_path / f"out{number}"
        assert pack(tmp_path / "in" / "list.csv", out, **options).pictures == 18
        assert len({sample.path for sample in find_samples(out).samples}) == 18
        if "max_side" not in options:
            assert widths(out) == expected


def test_one_file_in_two_splits_is_packed_twice(tmp_path):
    for number in range(2):
        write_picture(tmp_path / "in" / "ab"[number] / "1.png", 20 + number)
    listing = find_samples(tmp_path / "in", test=tmp_path / "in")
    pack(listing, tmp_path / "out")
    assert [s.split for s in find_samples(tmp_path / "out").samples] == [None, "test"] * 2


def test_pictures_called_like_our_own_members_do_not_meet_them(tmp_path):
    for number, name in enumerate(("1.cls", "2.json", "3.png")):
        write_picture(tmp_path / "in" / "ab"[number % 2] / name, 20 + number)
    pack(tmp_path / "in", tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "shard-00000.tar") as tar:
        assert len(set(tar.getnames())) == 9


@pytest.mark.parametrize("fault", ["lost", "changed"])
def test_a_pack_that_cannot_be_read_back_gets_no_index(photos, tmp_path, monkeypatch, fault):
    from darter.dataset.shards import ShardWriter

    original = ShardWriter._finish

    def finish(self):
        part = self._part()
        original(self)
        shard = part.with_suffix("")
        content = shard.read_bytes()
        if fault == "lost":
            content = content[: len(content) // 2 // 512 * 512] + bytes(10240)
        else:
            content = content[:600] + bytes([content[600] ^ 1]) + content[601:]
        shard.write_bytes(content)

    monkeypatch.setattr(ShardWriter, "_finish", finish)
    with pytest.raises(DataError, match=r"of 41 pictures \d+ can be read back"):
        pack(photos, tmp_path / "out")
    assert not (tmp_path / "out" / "index.json").exists()


def changed(row=None, shard=None, classes=None):
    def change(index):
        if row is not None:
            index["darter"]["pictures"][0][row[0]] = row[1]
        if shard is not None:
            index["shardlist"][0]["url"] = shard
        if classes is not None:
            index["darter"]["classes"] = classes

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(row=(0, "/etc/passwd")), "'/etc/passwd' leads out of the pack"),
        (changed(row=(0, "a/../../x.jpg")), "leads out of the pack"),
        (changed(row=(0, "")), "leads out of the pack"),
        (changed(row=(0, 7)), "7 stands where a name should be"),
        (changed(row=(1, -1)), "-1 is no whole number from 0 to 2"),
        (changed(row=(1, [0, 9])), "9 is no whole number from 0 to 2"),
        (changed(row=(2, "tests")), "is in no split, but in 'tests'"),
        (changed(row=(3, 5)), "5 stands where a name should be"),
        (changed(row=(4, -1)), "-1 is no whole number"),
        (changed(row=(5, -512)), "-512 is no whole number"),
        (changed(row=(5, 1 << 70)), "is no whole number"),
        (changed(row=(5, 0.5)), "0.5 is no whole number"),
        (changed(row=(5, True)), "True is no whole number"),
        (changed(row=(6, 1 << 40)), "is no whole number"),
        (changed(row=(5, 10_240)), "lies beyond the end of shard-00000.tar"),
        (changed(shard="../shard-00000.tar"), "is not in the folder of the index"),
        (changed(shard=""), "is not in the folder"),
        (changed(classes=["a", "b", 3]), "3 stands where a name should be"),
        (changed(classes={"a": 1}), "is no whole number from 0 to 0"),
    ],
)
def test_an_index_is_checked_against_its_shards(photos, tmp_path, change, words):
    pack(photos, tmp_path, shard_bytes=10**9)
    index = json.loads((tmp_path / "index.json").read_text())
    if "beyond" in words:
        index["darter"]["pictures"][0][6] = index["shardlist"][0]["filesize"] - 10_000
    change(index)
    (tmp_path / "index.json").write_text(json.dumps(index))
    os.utime(tmp_path / "index.json", ns=(1, 1))
    with pytest.raises(DataError, match=r"is not an index that `darter pack` has written") as error:
        find_samples(tmp_path)
    assert words in str(error.value)


def test_two_pictures_of_one_name_in_an_index_are_refused(photos, tmp_path):
    pack(photos, tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    index["darter"]["pictures"][0][0] = index["darter"]["pictures"][1][0]
    (tmp_path / "index.json").write_text(json.dumps(index))
    os.utime(tmp_path / "index.json", ns=(1, 1))
    with pytest.raises(DataError, match="two pictures have one name"):
        find_samples(tmp_path)


@pytest.mark.parametrize("error", [MemoryError(), OverflowError("too large"), KeyError("x")])
def test_whatever_a_feed_thread_meets_ends_the_epoch(packed, monkeypatch, error):
    paths = [s.path for s in find_samples(packed).samples]
    loader = Loader(paths, np.zeros(41), AUGMENT, 6, sequential=8, cache=PictureCache(0))

    def pread(descriptor, size, offset):
        raise error

    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(type(error)):
        list(loader.epoch(0))
    assert not [t for t in threading.enumerate() if t.name.startswith("darter")]
