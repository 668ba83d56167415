"""What a file's answers are averaged over: kept in the file, asked for, or turned off."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from darter.errors import ModelFileError, OptionError
from darter.model import (
    Calibration,
    ModelInfo,
    Over,
    averaging,
    evaluate_samples,
    load,
    mean_logits,
    read_info,
    softmax,
    write_info,
)
from darter.model.tasks import Classify, Multilabel
from tests.tiny_models import COLORS, PLAIN, color_model, save

OVER = Over(("views:2x2",), (), Calibration(2.0, 0.4))


@pytest.fixture
def path(tmp_path):
    return save(color_model(), tmp_path / "m.onnx", ModelInfo(COLORS, PLAIN, over=OVER))


def pictures(count=3):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (20, 30, 3), np.uint8) for _ in range(count)]


def probabilities(session, **options):
    answers = session.predict(pictures(), top=3, **options)
    return np.array([[dict(a.top)[name] for name in COLORS] for a in answers])


def test_a_file_remembers_and_does_what_it_decided(path):
    assert read_info(path).over == OVER
    session = load(path, threads=1)
    each = [softmax(session.logits(averaging(session.info).look(p))) for p in pictures()]
    mean = np.stack([p.mean(axis=0) for p in each])
    own = softmax(np.log(mean), 2.0)
    np.testing.assert_allclose(probabilities(session), own, atol=1e-6)
    np.testing.assert_allclose(probabilities(session, over=("views:2x2",)), own, atol=1e-6)
    single = softmax(session.logits(PLAIN.batch(pictures())))
    np.testing.assert_allclose(probabilities(session, over=("none",)), single, atol=1e-6)
    other = probabilities(session, over=("flip",))
    assert not np.allclose(other, own) and np.allclose(other.sum(axis=1), 1)


def test_weights_of_looks_are_kept(path, tmp_path):
    info = read_info(path)
    write_info(path, replace(info, over=Over(("flip",), (1.0, 0.0))))
    session = load(path, threads=1)
    single = softmax(session.logits(PLAIN.batch(pictures())))
    np.testing.assert_allclose(probabilities(session), single, atol=1e-6)


def test_evaluation_is_of_the_same_answers(path, tmp_path):
    from PIL import Image

    from darter.dataset import Sample

    session, samples = load(path, threads=1), []
    for number, pixels in enumerate(pictures()):
        file = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(file)
        samples.append(Sample(file, (COLORS[number],)))
    found = evaluate_samples(session, samples)
    top = probabilities(session).max(axis=1)
    np.testing.assert_allclose([p["confidence"] for p in found.predictions], top, atol=1e-6)
    assert found.calibration == OVER.calibration
    plain = evaluate_samples(session, samples, over=("none",))
    assert plain.calibration == Calibration()


@pytest.mark.parametrize(
    "over, words",
    [
        (("models",), "this file holds one"),
        (("dropout:4",), "keep_draws = 16 in the recipe, or average in PyTorch"),
        (("none", "flip"), "stands alone"),
        (("augment:4",), "only models that darter trained"),
    ],
)
def test_mistakes_are_sentences(path, over, words):
    session = load(path, threads=1)
    with pytest.raises(OptionError, match=words):
        session.predict(pictures(), over=over)


@pytest.mark.parametrize(
    "text",
    ['{"sources": ["views:9x9"]}', '{"sources": "flip"}', '{"sources": []}', '{"x": 1}',
     '{"sources": ["flip"], "weights": [1]}', '{"sources": ["flip"], "weights": ["a", 1]}',
     '{"sources": ["flip"], "calibration": {"temperature": 0}}'],
)  # fmt: skip
def test_damaged_metadata_is_named(path, text):
    proto = onnx.load(path)
    for entry in proto.metadata_props:
        if entry.key == "darter.over":
            entry.value = text
    onnx.save(proto, path)
    with pytest.raises(ModelFileError, match=r"darter\.\* is damaged"):
        load(path)


def test_the_mean_of_probabilities_as_logits():
    logits = np.random.default_rng(0).normal(size=(5, 4, 3))
    for task in (Classify(), Multilabel()):
        mean = mean_logits(task, logits, [1, 2, 3, 4, 0])
        each = np.stack([task.probabilities(row) for row in logits])
        expected = np.tensordot(np.array([1, 2, 3, 4, 0]) / 10, each, axes=1)
        np.testing.assert_allclose(task.probabilities(mean), expected, atol=1e-12)
    with pytest.raises(OptionError, match="5 numbers"):
        mean_logits(Classify(), logits, [1.0])
    with pytest.raises(OptionError, match='"probabilities" or "logits"'):
        mean_logits(Classify(), logits, average="median")
