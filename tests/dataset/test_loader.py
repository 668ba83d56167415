import gc
import os
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from darter.dataset import Loader, PictureCache
from darter.dataset.batch import Slots
from darter.errors import DataError, OptionError, ShapeError
from darter.picture import Augment, Picture, Preprocess


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths = []
    for i in range(23):
        width, height = rng.integers(20, 60, 2)
        coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((int(width), int(height)), Image.BILINEAR)
        paths.append(folder / f"{i:02}.{'jpg' if i % 2 else 'png'}")
        picture.save(paths[-1])
    return paths


STRONG = Augment.default(16, "strong")


def loader(photos, transform=STRONG, **options):
    options = {"batch_size": 5, "seed": 7, **options}
    return Loader(photos, np.arange(len(photos)), transform, **options)


def loader_threads():
    return [t for t in threading.enumerate() if t.name == "darter loader"]


def content(batches):
    return [(b.images.copy(), b.targets.copy(), b.indices.copy()) for b in batches]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("channels_last", [False, True])
def test_bits_do_not_depend_on_threads(photos, channels_last):
    runs = [
        content(loader(photos, threads=threads, channels_last=channels_last).epoch(3))
        for threads in (1, 2, 5, None)
    ]
    assert len(runs[0]) == 5
    for run in runs[1:]:
        assert_same(runs[0], run)


def test_every_picture_once_with_its_label(photos):
    batches = list(loader(photos).epoch(0))
    seen = np.concatenate([b.indices for b in batches])
    assert sorted(seen) == list(range(23))
    np.testing.assert_array_equal(np.concatenate([b.targets for b in batches]), seen)
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3]


def test_epochs_differ_and_repeat(photos):
    one = loader(photos)
    first, second, again = (content(one.epoch(e)) for e in (0, 1, 0))
    assert_same(first, again)
    assert not np.array_equal(first[0][2], second[0][2])
    assert not np.array_equal(first[0][0], second[0][0])


def test_iterating_goes_on_to_the_next_epoch(photos):
    one = loader(photos)
    passes = [content(one), content(one)]
    assert_same(passes[0], content(loader(photos).epoch(0)))
    assert_same(passes[1], content(loader(photos).epoch(1)))
    assert len(one) == len(passes[0])


def test_start_batch_resumes_inside_an_epoch(photos):
    whole = content(loader(photos).epoch(2))
    assert_same(whole[3:], content(loader(photos).epoch(2, start_batch=3)))
    assert content(loader(photos).epoch(2, start_batch=5)) == []


def test_drop_last_order_and_no_shuffle(photos):
    assert [len(b) for b in loader(photos, drop_last=True).epoch(0)] == [5, 5, 5, 5]
    plain = loader(photos, Preprocess(16), shuffle=False).epoch(0)
    np.testing.assert_array_equal(next(plain).indices, np.arange(5))
    ordered = loader(photos, order=lambda epoch: [epoch, 3, 3])
    np.testing.assert_array_equal(next(ordered.epoch(9)).indices, [9, 3, 3])
    with pytest.raises(OptionError, match=r"outside 0\.\.22"):
        list(loader(photos, order=lambda epoch: [23]).epoch(0))


def test_images_are_what_the_transform_makes(photos):
    preprocess = Preprocess(16)
    for batch in loader(photos, preprocess).epoch(0):
        for image, index in zip(batch.images, batch.indices, strict=True):
            np.testing.assert_array_equal(image, preprocess(photos[index]))


def test_channels_last_is_memory_order_only(photos):
    batch = next(loader(photos, channels_last=True).epoch(0))
    assert batch.images.shape == (5, 3, 16, 16)
    assert batch.images.strides[1] == 4  # channels are neighbors in memory
    np.testing.assert_array_equal(batch.images, next(loader(photos).epoch(0)).images)


def test_held_batches_are_never_overwritten(photos):
    one = loader(photos, threads=3)
    held = [batch.images[1, :, 2:5] for batch in one.epoch(0)]  # views only, no batch object
    copies = [view.copy() for view in held]
    for epoch in (1, 2):
        for batch in one.epoch(epoch):
            del batch
    for view, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(view, copy)


def test_memory_of_released_batches_is_used_again(photos):
    one = loader(photos, threads=1, drop_last=True)
    addresses = set()
    for batch in (b for e in range(4) for b in one.epoch(e)):
        addresses.add(batch.images.ctypes.data)
        del batch
    assert len(addresses) <= one.prefetch + 3


def test_bad_picture_is_named_when_its_batch_is_due(photos, tmp_path):
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(photos[1].read_bytes()[:60])
    batches = loader([*photos[:7], bad], shuffle=False, threads=2).epoch(0)
    assert len(next(batches)) == 5
    with pytest.raises(DataError, match=r"broken\.jpg"):
        next(batches)
    assert not loader_threads()


def test_failing_transform_names_the_picture(photos):
    class Failing:
        side = min_side = 16

        def write(self, pixels, out, seed, epoch, index):
            raise ZeroDivisionError("oh")

    with pytest.raises(ZeroDivisionError) as caught:
        list(loader(photos, Failing(), shuffle=False).epoch(0))
    assert "00.png" in caught.value.__notes__[0]


@pytest.mark.parametrize("leave", ["break", "exception", "interrupt", "drop"])
def test_threads_end_however_the_loop_ends(photos, leave):
    def run():
        for _ in loader(photos, threads=3).epoch(0):
            if leave == "exception":
                raise RuntimeError
            if leave == "interrupt":
                raise KeyboardInterrupt
            break

    try:
        run()
    except (RuntimeError, KeyboardInterrupt) as error:
        error.__traceback__ = None
    if leave == "drop":
        iterator = loader(photos, threads=3).epoch(0)
        next(iterator)
        del iterator
    gc.collect()
    assert not loader_threads()


def test_waiting_is_measured_and_adds_threads(photos):
    class Slow:
        side = min_side = 8

        def write(self, pixels, out, seed, epoch, index):
            time.sleep(0.01)
            out[...] = 0

    slow = loader(photos, Slow(), threads=1)
    list(slow.epoch(0))
    assert 0.15 < slow.waited < 5
    adaptive = loader(photos, Slow())
    assert adaptive.threads == 1
    list(adaptive.epoch(0))
    assert adaptive.threads > 1 or len(os.sched_getaffinity(0)) == 1


def test_pictures_in_memory():
    pixels = np.zeros((30, 20, 3), np.uint8)
    batch = next(loader([Picture(pixels)] * 3).epoch(0))
    assert batch.images.shape == (3, 3, 16, 16)


def test_cache_keeps_what_fits(photos):
    cache = PictureCache(max_bytes=20_000)
    one = loader(photos, cache=cache)
    first = content(one.epoch(0))
    assert 0 < len(cache) < len(photos)
    assert cache.bytes <= 20_000
    assert_same(first, content(one.epoch(0)))
    kept = PictureCache().get(photos[0], 16)
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1


@pytest.mark.parametrize("channels_last", [False, True])
def test_bfloat16_is_the_rounded_float32(photos, channels_last):
    torch = pytest.importorskip("torch")
    floats = loader(photos, channels_last=channels_last)
    halves = loader(photos, channels_last=channels_last, dtype="bfloat16")
    for full, half in zip(floats.epoch(1), halves.epoch(1), strict=True):
        images, labels = half.tensors()
        assert images.dtype == torch.bfloat16 and half.images.dtype == np.uint16
        assert torch.equal(images, torch.from_numpy(full.images).bfloat16())
        np.testing.assert_array_equal(labels, full.targets)
        assert images.is_contiguous() != channels_last


def test_bytes_are_the_colors_before_normalization(photos):
    augment = Augment.default(16, "strong")
    mean, std = (np.array(v)[:, None, None] for v in (augment.mean, augment.std))
    floats, octets = loader(photos, augment), loader(photos, augment, dtype="uint8")
    for full, byte in zip(floats.epoch(1), octets.epoch(1), strict=True):
        colors = (full.images * std + mean) * 255
        assert byte.images.dtype == np.uint8
        assert np.abs(byte.images - colors).max() < 0.501


def test_any_loop_can_unpack_batches(photos):
    seen = [(images.shape, labels.tolist()) for images, labels in loader(photos, shuffle=False)]
    assert seen[0] == ((5, 3, 16, 16), [0, 1, 2, 3, 4])


@pytest.fixture
def pinned(monkeypatch):
    """A machine on which memory seems to be pinned; what was."""
    torch = pytest.importorskip("torch")
    empty, found = torch.empty, []

    def unpinned(*shape, pin_memory=False, **options):
        found.append(pin_memory)
        return empty(*shape, **options)

    monkeypatch.setattr(torch, "empty", unpinned)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return found


def test_pinned_batches_are_not_written_again_while_in_use(photos, pinned):
    import torch

    for dtype in ("float32", "bfloat16", "uint8"):
        kept = [batch.tensors() for batch in loader(photos, dtype=dtype, pin=True).epoch(0)]
        plain = [batch.tensors() for batch in loader(photos, dtype=dtype).epoch(0)]
        for one, other in zip(kept, plain, strict=True):
            assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert all(pinned) and len(pinned) >= 15


class Copy:
    """An event that the device reaches when the test says so."""

    done = False

    def query(self) -> bool:
        return self.done


@pytest.mark.parametrize("batches", [1, 3, 20])
def test_pinned_memory_is_not_written_again_before_it_is_copied(pinned, monkeypatch, batches):
    """The program lets go of a batch while the device has yet to read it."""
    copies = []
    monkeypatch.setattr(
        sys.modules["darter.dataset.batch"],
        "_event_behind",
        lambda device: copies.append(Copy()) or copies[-1],
    )
    slots, targets = Slots((4, 4), 2, "float32", False, pin=True), np.zeros(2, np.int64)

    def place_of_next() -> int:
        batch = slots.batch(targets, targets)
        place = batch.images.ctypes.data
        batch.tensors("meta")  # any device but the CPU
        return place

    reading = [place_of_next() for _ in range(batches)]
    assert len(set(reading)) == batches  # and none was given back to the system
    assert len(slots.pool) == batches
    copies[0].done = True
    assert place_of_next() == reading[0]
    assert place_of_next() not in reading
    for copy in copies:
        copy.done = True
    assert place_of_next() in {slot.memory.ctypes.data for slot in slots.pool}
    assert len(pinned) == batches + 1


def test_memory_of_copies_on_the_cpu_is_free_at_once(pinned):
    slots, targets = Slots((4, 4), 2, "float32", False, pin=True), np.zeros(2, np.int64)
    places = set()
    for _ in range(3):
        batch = slots.batch(targets, targets)
        places.add(batch.images.ctypes.data)
        batch.tensors("cpu")
        del batch
    assert len(places) == 1


def test_wrong_arguments_are_named(photos):
    with pytest.raises(OptionError, match="dtype must be one of float32, bfloat16, uint8, got"):
        loader(photos, dtype="float16")

    with pytest.raises(ShapeError, match="23 samples need as many targets"):
        Loader(photos, [1, 2], STRONG, 4)
    with pytest.raises(OptionError, match="batch_size must be a whole number from 1 on, got 0"):
        loader(photos, batch_size=0)
    with pytest.raises(OptionError, match="threads must be a whole number from 1 on"):
        loader(photos, threads=0)


def test_no_pictures_no_batches():
    assert list(Loader([], [], STRONG, 4).epoch(0)) == []


def test_pinning_needs_cuda(photos, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match="no CUDA device is here"):
        loader(photos, pin=True)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OptionError, match="pin needs PyTorch"):
        loader(photos, pin=True)


def test_what_fails_beside_the_pictures_reaches_the_loop(photos, monkeypatch):
    one = loader(photos, threads=2)

    def no_memory(*_):
        raise MemoryError("no room for a batch")

    monkeypatch.setattr(one._slots, "batch", no_memory)
    with pytest.raises(MemoryError, match="no room for a batch"):
        next(one.epoch(0))
    assert not loader_threads()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": "8"}, "batch_size must be a whole number from 1 on, got '8'"),
        ({"threads": 1.5}, "threads must be a whole number"),
        ({"transform": None}, "transform must be an Augment or a Preprocess, got None"),
    ],
)
def test_options_that_make_no_sense_are_named(photos, options, says):
    with pytest.raises(OptionError, match=says):
        loader(photos, **options)


def test_a_size_may_be_written_as_a_float(photos):
    assert next(loader(photos, Preprocess(size=16.0)).epoch(0)).images.shape == (5, 3, 16, 16)
