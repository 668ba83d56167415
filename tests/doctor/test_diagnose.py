"""The doctor on staged cases, each with one part made slow on purpose."""

import json
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darter import kernels
from darter.doctor import Job, diagnose
from darter.doctor.diagnosis import Diagnosis, Times
from darter.doctor.job import Lighter, some
from darter.doctor.memory import Memory, measure_memory
from darter.picture import Augment
from darter.picture.decode import read

SECONDS = 1.0


class Sleeper:
    """A model whose step takes `seconds` per picture, as if on a GPU."""

    def __init__(self, seconds, speedup=4.0):
        self.seconds, self.speedup = seconds, speedup

    def step(self, batch):
        time.sleep(self.seconds * len(batch))

    def lighter(self):
        return (Lighter("use half of it", self.speedup, self.half, 32),)

    def half(self):
        return Sleeper(self.seconds / self.speedup)


def photos(folder, count, width, height):
    rng = np.random.default_rng(0)
    for i in range(count):
        coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / f"{i}.jpg", quality=92)
    return tuple(sorted(folder.glob("*.jpg")))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("small"), 24, 80, 64)


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("huge"), 12, 1200, 900)


def job(samples, *, size=32, augment="light", step=0.0002, **rest):
    transform = augment if isinstance(augment, Augment) else Augment.default(size, augment)
    return Job(samples, transform, Sleeper(step), total=1000, batch_size=8, **rest)


def slow_disk(path):
    time.sleep(0.008)
    return read(path)


def heavy_augmentation():
    return Augment.from_dict(
        {"rotate": {"degrees": (20, 40)}, "perspective": {}, "lens": {}, "jitter": {"hue": 0.1}},
        640,
    )


def case(name, small, huge):
    """(job, the part that limits it, a word of the remedy)."""
    return {
        "slow disk": (job(small, read=slow_disk), "reading", "darter pack DIR OUT"),
        "huge JPEGs": (job(huge, size=200, augment="none"), "decoding", "--max-side 268"),
        "heavy augmentation": (job(small, augment=heavy_augmentation()), "augmentation", "light"),
        "heavy model": (job(small, step=0.01), "model", "use half of it"),
    }[name]


CASES = ["slow disk", "huge JPEGs", "heavy augmentation", "heavy model"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_part_that_limits_is_named_and_its_remedy_is_tried(name, small, huge):
    examined, limit, remedy = case(name, small, huge)
    isa = "scalar" if name == "heavy augmentation" else kernels.active_isa()  # five times as heavy
    with kernels.using_isa(isa):
        found = diagnose(examined, seconds=SECONDS, verify=True, cache_bytes=0)
    assert found.limit == limit, found
    assert remedy in found.remedy
    assert "limits training: an epoch takes" in found.sentence()
    assert f"Tried: {found.verified:.2g} times as fast." in found.advice()


STAGED = {  # seconds per picture: all, without reading, decoding, augmentation; pictures alone
    "slow disk": Times(0.009, 0.001, 0.0008, 0.0002, 0.0088, 0.9),
    "huge JPEGs": Times(0.009, 0.0088, 0.001, 0.0002, 0.0088, 0.9),
    "heavy augmentation": Times(0.009, 0.0089, 0.0088, 0.0002, 0.0088, 0.9),
    "heavy model": Times(0.012, 0.0119, 0.0118, 0.01, 0.002, 0.1),
}


@pytest.mark.parametrize("name", CASES)
def test_what_saves_most_is_named_with_what_its_remedy_should_gain(name, small, huge, monkeypatch):
    examined, limit, remedy = case(name, small, huge)
    staged = STAGED[name]
    module = sys.modules["darter.doctor.diagnose"]
    monkeypatch.setattr(module, "_differences", lambda *args: staged)
    found = diagnose(examined, seconds=0.1, cache_bytes=0)
    assert found.limit == limit
    assert remedy in found.remedy
    assert 1 <= found.speedup <= staged.everything / (staged.everything - staged.saved()[limit])


@given(st.lists(st.floats(1e-6, 10), min_size=5, max_size=5))
def test_on_a_busy_machine_no_part_saves_less_than_nothing(seconds):
    times = Times.measured(*seconds, waiting=0.5)
    assert min(times.saved().values()) >= 0
    assert times.everything == seconds[0]
    assert sum(list(times.saved().values())[:3]) <= times.everything * (1 + 1e-9)


def test_pictures_that_stay_in_memory_are_read_once(small):
    found = diagnose(job(small, read=slow_disk, step=0.002), seconds=SECONDS)
    assert found.kept and found.limit == "model"
    assert found.times.saved()["reading"] == 0
    assert found.parts.read_cached > 0.008


def test_too_few_threads_are_named(small):
    found = diagnose(job(small, read=slow_disk, threads=1), seconds=SECONDS, cache_bytes=0)
    assert found.limit == "reading"
    assert "threads instead of 1" in found.remedy


def test_a_diagnosis_can_be_stored(small):
    found = diagnose(job(small), seconds=0.1)
    assert isinstance(found, Diagnosis)
    stored = json.loads(json.dumps(found.to_json()))
    assert stored["sentence"] == found.sentence()
    assert stored["times"]["everything"] == found.times.everything


def test_short_memory_comes_first(small, monkeypatch):
    short = Memory(total=8 << 30, free=1 << 28, peak=4 << 30, for_pictures=1 << 30, decoded=1)
    assert short.is_short
    monkeypatch.setattr(sys.modules["darter.doctor.diagnose"], "measure_memory", lambda *a: short)
    found = diagnose(job(small), seconds=0.1)
    assert found.limit == "memory"
    assert "batch_size = 4, accumulate = 2" in found.remedy
    assert found.sentence() == "Memory limits training: 0.3 GB are free while it has taken 4.3 GB."


def test_memory_of_this_machine():
    memory = measure_memory(1e6)
    assert 0 < memory.free <= memory.total
    assert memory.peak > 1e6
    assert memory.keeps_all and not measure_memory(1e6, 0).keeps_all


def test_some_samples_are_the_same_each_time(small):
    assert some(small, 100) == small
    assert some(small, 5) == some(small, 5)
    assert len(set(some(small, 5))) == 5
