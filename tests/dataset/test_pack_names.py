"""Packing files with strange names, and packs whose index or shards are not what they should be."""

import io
import json
import os
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from darter.dataset import Loader, PictureCache, find_samples, pack
from darter.errors import DataError
from darter.picture import Augment, decode


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
    loader = Loader(
        paths, np.zeros(41), Augment.default(16, "strong"), 6, sequential=8, cache=PictureCache(0)
    )

    def pread(descriptor, size, offset):
        raise error

    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(type(error)):
        list(loader.epoch(0))
    assert not [t for t in threading.enumerate() if t.name.startswith("darter")]
