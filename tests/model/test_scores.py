"""What the scores of a file that nobody described mean, by how its graph ends."""

import json

import numpy as np
import pytest

import darter
from darter.cli.app import main
from darter.errors import DataError
from darter.model import evaluate_samples
from tests.tiny_models import COLORS, color_model, picture, save

YELLOW = np.full((8, 8, 3), (255, 255, 0), np.uint8)
PLAIN = {"classes": COLORS, "mean": (0.5,) * 3, "std": (1.0,) * 3}


@pytest.fixture
def path(tmp_path):
    """Sigmoid of 10 × the mean color less 1/2."""
    return save(color_model(tail=("Sigmoid", "Identity")), tmp_path / "m.onnx")


def test_a_net_that_ends_in_sigmoid_gives_every_label(path):
    session = darter.load(path, **PLAIN)
    (answer,) = session([YELLOW])
    assert answer.labels == ("red", "green")
    assert answer.confidence == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-5)


def test_logits_are_what_the_sigmoid_takes(path):
    session = darter.load(path, **PLAIN)
    x = np.linspace(-1, 1, 3 * 64, dtype=np.float32).reshape(1, 3, 8, 8)
    np.testing.assert_allclose(session.logits(x), 10 * x.mean((2, 3)), rtol=1e-3)
    np.testing.assert_allclose(session.run(x), 1 / (1 + np.exp(-10 * x.mean((2, 3)))), rtol=1e-3)
    assert np.isfinite(session.logits(x * 1e4)).all()


def test_one_label_alone_is_an_answer(tmp_path):
    model = color_model(tail=("ReduceMax", "Sigmoid"), outputs=("n", 1))
    axes = model.graph.node[-2].attribute.add()
    axes.name, axes.type, axes.ints[:] = "axes", axes.INTS, [1]
    session = darter.load(
        save(model, tmp_path / "m.onnx"), classes=("bright",), mean=PLAIN["mean"], std=PLAIN["std"]
    )
    bright, dark = session([YELLOW, np.zeros_like(YELLOW)])
    assert (bright.labels, dark.labels) == (("bright",), ())


def test_the_command_names_all_labels(path, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(COLORS))
    options = ["--classes", str(names), "--mean", "0.5,0.5,0.5", "--std", "1,1,1"]
    file = picture(tmp_path / "y.png", "yellow")
    with pytest.raises(SystemExit):
        main(["predict", str(path), str(file), *options])
    assert "red, green" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["predict", str(path), str(file), "--json", *options])
    assert json.loads(capsys.readouterr().out)["labels"] == ["red", "green"]


def test_a_net_that_ends_in_softmax_is_not_measured_on_several_labels(tmp_path):
    from darter.dataset import Sample

    session = darter.load(save(color_model(tail=("Softmax",)), tmp_path / "s.onnx"), **PLAIN)
    with pytest.raises(DataError, match="one label per picture"):
        evaluate_samples(session, [Sample(tmp_path / "a.png", ("red", "green"))])
