import io

from rich.console import Console

from darter.train import TrainingBar
from tests.train.tiny import tiny_model, train


def test_bar_shows_what_a_run_does(problem):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    with TrainingBar(console) as bar:
        fitted = train(tiny_model(), problem, progress=bar)
    shown = screen.getvalue()
    assert "epoch 3/3" in shown
    assert "pictures/s" in shown and "left" in shown and "loss" in shown
    assert f"validation {fitted.history[-1]['val_accuracy']:.1%}" in shown


def test_no_bar_where_no_person_watches(problem):
    screen = io.StringIO()
    with TrainingBar(Console(file=screen)) as bar:
        train(tiny_model(), problem, progress=bar)
    assert screen.getvalue().strip() == ""
