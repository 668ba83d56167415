"""Confidences and limits of averaged answers, fitted on labelled pictures."""

from dataclasses import replace

import numpy as np
import pytest

from darter.dataset import Sample
from darter.errors import DataError
from darter.model import (
    Calibration,
    ModelInfo,
    Over,
    averaging,
    fit_temperature,
    limit_of_mean,
    load,
    read_info,
    recalibrated,
    with_calibration,
    write_info,
)
from tests.tiny_models import COLORS, PLAIN, color_model, save

LOOSE, TIGHT = Calibration(3.0, 0.1), Calibration(0.5, 0.7)
INFO = ModelInfo(COLORS, PLAIN, Calibration(unknown_above=0.5))


def answered(count=200, novelty=None, seed=0):
    """Samples, and answers that are far too sure, each with a novelty in [0, 1]."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    logits = 8 * (np.eye(3)[labels] + rng.normal(0, 0.7, (count, 3)))
    novelty = rng.uniform(0, 1, count) if novelty is None else novelty
    samples = [Sample(f"{k}.png", COLORS[label], None, None) for k, label in enumerate(labels)]
    rows = np.column_stack([logits, novelty])
    return samples, [(f"{k}.png", row, ()) for k, row in enumerate(rows)], logits, labels


def test_each_mix_has_its_own_calibration_in_the_file(tmp_path):
    file = save(color_model(), tmp_path / "m.onnx", INFO)
    info = with_calibration(INFO, ("flip", "views:2x1"), LOOSE)
    info = with_calibration(replace(info, over=Over(("flip",))), ("flip",), TIGHT)
    write_info(file, info)
    read = read_info(file)
    assert read == info and read.over.calibration == TIGHT and len(read.fitted) == 1
    for over, wanted in ((None, TIGHT), (("flip",), TIGHT), (("views:2x1", "flip"), LOOSE)):
        found = averaging(read, over)
        assert found.info.calibration == wanted and found.fitted
    other = averaging(read, ("views:5x1",))
    assert not other.fitted and other.info.calibration == INFO.calibration
    assert averaging(read, ("none",)).info.calibration == INFO.calibration
    session = load(file, threads=1)
    pixels = np.full((8, 8, 3), (60, 50, 40), np.uint8)
    sure = [next(session.predict([pixels], over=over)).confidence
            for over in (("views:2x1", "flip"), ("flip",))]  # fmt: skip
    assert sure[0] < sure[1], "the higher temperature is less sure"


def test_a_second_calibration_takes_the_place_of_the_first():
    info = with_calibration(INFO, ("flip", "views:2x1"), LOOSE)
    again = with_calibration(info, ("views:2x1", "flip"), TIGHT)
    assert [over.calibration for over in again.fitted] == [TIGHT]
    assert with_calibration(INFO, ("models",), TIGHT).calibration == TIGHT
    assert with_calibration(INFO, None, TIGHT).calibration == TIGHT


def test_confidences_and_the_limit_of_novelty_are_fitted_to_the_mean():
    samples, plain, logits, labels = answered()
    novelty = np.array([row[-1] for _, row, _ in plain])
    _, mean, _, _ = answered(novelty=0.3 * novelty)  # averaged looks are nearer to what is known
    info = recalibrated(INFO, samples, mean, ("flip",), plain)
    (fitted,) = info.fitted
    assert fitted.calibration.temperature == pytest.approx(fit_temperature(logits, labels))
    assert fitted.calibration.temperature > 2
    kept = (novelty <= 0.5).mean()
    assert (0.3 * novelty <= fitted.calibration.unknown_above).mean() == kept
    assert fitted.calibration.unknown_above < 0.16, "the limit of one look would keep every picture"
    own = recalibrated(INFO, samples, plain)
    assert own.calibration.unknown_above == 0.5 and own.calibration.temperature > 2


def test_pictures_that_cannot_be_read_do_not_count():
    samples, plain, _, _ = answered(40)
    broken = [("x", "empty file", ())] * 11 + plain[11:]
    with pytest.raises(DataError, match="29 pictures are too few"):
        recalibrated(INFO, samples, broken)
    assert recalibrated(INFO, samples, broken[1:] + plain[:1], ("flip",), plain).fitted


def test_as_many_pictures_stay_below_the_limit_of_the_mean():
    plain = np.arange(100.0)
    for limit, kept in ((96.5, 97), (1000, 100), (0, 1)):
        assert (plain**2 <= limit_of_mean(limit, plain, plain**2)).sum() == kept
