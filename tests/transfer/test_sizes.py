import numpy as np
import pytest

from darter.transfer import Features, choose_size, sizes


@pytest.fixture
def measured(monkeypatch):
    """Features whose classes are apart only from a size on."""

    def install(apart_from):
        def stub(backbone, sources, preprocess, **options):
            rng = np.random.default_rng(preprocess.size)
            labels = np.arange(len(sources)) % 2
            distance = 4.0 if preprocess.size >= apart_from else 0.5
            rows = rng.normal(size=(len(sources), 3)) + distance * labels[:, None]
            return Features(rows.astype(np.float32), {})

        monkeypatch.setattr(sizes, "features", stub)

    return install


def pick(backbone, side, **options):
    n = 300
    labels = np.arange(n) % 2
    return choose_size(
        backbone, [None] * n, labels, np.arange(n), classes=2, picture_side=side, **options
    )


def test_smallest_size_that_is_as_good(backbone, measured):
    measured(apart_from=128)
    choice = pick(backbone, 60)
    assert choice.size == 128
    assert [r["size"] for r in choice.records] == [64, 96, 128, 160, 192, 224, 256]
    assert [r["size"] for r in pick(backbone, 32).records] == [64, 96, 128, 160]
    assert [r["size"] for r in pick(backbone, 8).records] == [64]
    assert all(r["pictures"] == 300 for r in choice.records)
    assert "held" not in choice.why and "the probe reaches" in choice.why


def test_large_pictures_and_rigid_nets_are_not_measured(backbone, measured):
    assert pick(backbone, 400).size == backbone.size
    assert pick(backbone, 400).records == ()


def test_sizes_can_be_given(backbone, measured):
    measured(apart_from=0)
    choice = pick(backbone, 400, sizes=[224, 288])
    assert choice.size == 224
    assert [r["size"] for r in choice.records] == [224, 288]


def test_sizes_that_take_too_long_are_not_measured(backbone, measured, monkeypatch):
    measured(apart_from=128)
    clock = iter(range(0, 1000, 4))  # every look at it is four seconds later
    monkeypatch.setattr(sizes.time, "monotonic", lambda: next(clock))
    choice = pick(backbone, 60, seconds=22)
    assert [r["size"] for r in choice.records] == [64, 96]
    assert "no time to measure more than 96 pixels" in choice.why
    assert sizes.SizeChoice.from_json(choice.to_json()) == choice
