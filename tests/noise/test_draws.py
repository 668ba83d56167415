"""Dropout and DropConnect that are written into a file: drawn, and averaged over, from the file."""

import numpy as np
import pytest
import torch
from torch import nn

from darter.errors import OptionError
from darter.model import (
    Calibration,
    ModelInfo,
    evaluate_samples,
    get_task,
    load,
    mean_logits,
    softmax,
)
from darter.noise import Draws, DropConnectLinear, marginalize
from darter.train import Strangeness, export
from tests.train.tiny import tiny_model, tiny_problem

INFO = {"draws": 8, "drawn": ["dropout"]}


@pytest.mark.parametrize("kind", ["dropout", "dropconnect"])
def test_draws_scatter_as_the_layers_do(kind):
    linear = DropConnectLinear(40, 3, p=0.3 if kind == "dropconnect" else 0.0)
    p, x = 0.4 if kind == "dropout" else 0.0, torch.rand(5, 40)
    with torch.no_grad():
        rows = Draws(linear, p, 4000)(x).reshape(5, 4000, 3)
        plain = linear.eval()(x)
    scale = p / (1 - p) if p else 0.3 / 0.7
    wanted = scale * (x.square() @ linear.weight.detach().square().T)
    torch.testing.assert_close(rows.mean(dim=1), plain, atol=0.06, rtol=0)
    torch.testing.assert_close(rows.var(dim=1), wanted, atol=0, rtol=0.15)


def test_a_head_without_noise_has_nothing_to_draw():
    with pytest.raises(OptionError, match="drops nothing, so there is nothing to draw"):
        Draws(nn.Linear(4, 2), 0.0, 8)


@pytest.fixture(scope="module", params=[False, True], ids=["logits", "novelty"])
def session(request, tmp_path_factory):
    problem, model = tiny_problem(), tiny_model().eval()
    model.dropout.p = 0.5
    known = np.eye(16, dtype=np.float32)
    strange = Strangeness(known, 2.0, 1.0) if request.param else None
    info = ModelInfo(("a", "b", "c"), problem.preprocess, Calibration(0.7), INFO)
    file = tmp_path_factory.mktemp("draws") / "m.onnx"
    assert export(model, file, info, problem.val.pictures, strange=strange, draws=8).passed
    return load(file, threads=1)


def pictures():
    return [picture.pixels for picture in tiny_problem().val.pictures]


def test_predict_averages_the_draws_of_the_file(session):
    problem = tiny_problem()
    images = problem.preprocess.batch(problem.val.pictures)
    rows = session.run(images)[-1].reshape(12, 8, 3)
    assert rows.std(axis=1).min() > 0
    wanted = [softmax(mean_logits(get_task("classify"), each), 0.7).max() for each in rows[:, :4]]
    answers = list(session.predict(pictures(), over=("dropout:4",)))
    np.testing.assert_allclose([a.confidence for a in answers], wanted, atol=1e-6)
    plain = list(session.predict(pictures()))
    assert any(abs(a.confidence - b.confidence) > 1e-4 for a, b in zip(answers, plain, strict=True))
    assert [a.novelty for a in answers] == [b.novelty for b in plain]


def test_draws_mix_with_looks(session):
    (answer,) = session.predict(pictures()[:1], over=("flip", "dropout:8"))
    found = marginalize(session, pictures()[:1], ["flip", "dropout:8"])
    assert found.samples == 16 and found.mutual_information[0] > 0
    assert answer.confidence == pytest.approx(softmax(found.logits[0], 0.7).max(), abs=1e-6)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ("dropout:9", "holds 8 draws; ask for no more"),
        ("dropconnect:4", "this file's draws are of dropout"),
        ("dropout", "expected a number of draws"),
    ],
)
def test_what_the_file_lacks_is_said(session, over, message):
    with pytest.raises(OptionError, match=message):
        list(session.predict(pictures(), over=(over,)))


def test_a_file_without_draws_says_how_to_keep_them(tmp_path):
    problem = tiny_problem()
    info = ModelInfo(("a", "b", "c"), problem.preprocess)
    export(tiny_model().eval(), tmp_path / "m.onnx", info, problem.val.pictures)
    with pytest.raises(OptionError, match="keep_draws = 16"):
        list(load(tmp_path / "m.onnx").predict(pictures(), over=("dropout:4",)))


def test_evaluate_gives_the_same_answers(session, tmp_path):
    from PIL import Image

    from darter.dataset import Sample

    samples = []
    for number, pixels in enumerate(pictures()):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        samples.append(Sample(tmp_path / f"{number}.png", "abc"[number % 3]))
    found = evaluate_samples(session, samples, over=("dropout:8",))
    answers = list(session.predict([s.path for s in samples], over=("dropout:8",)))
    for row, answer in zip(found.predictions, answers, strict=True):
        assert row["confidence"] == pytest.approx(answer.confidence, abs=1e-6)
