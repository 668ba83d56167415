import io
import re

import pytest
from rich.console import Console

from darter.train import TrainingBar
from darter.train.plan import Plan
from darter.train.progress import clock, figures
from tests.train.tiny import tiny_model, train


def screen_of(width):
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


def lines(console):
    """What stood on the screen, drawing by drawing, without the cursor's movements."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\r", console.file.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]


def test_bar_shows_what_a_run_does(problem):
    console = screen_of(160)
    with TrainingBar(console) as bar:
        fitted = train(tiny_model(), problem, progress=bar)
    shown = lines(console)[-1]
    assert "epoch 3/3" in shown
    assert "pictures/s" in shown and "loss" in shown
    assert f"validation {fitted.history[-1]['val_accuracy']:.1%}" in shown


def plan(steps=400):
    return Plan(20, steps, steps, 20, "float32", "none", 4e-4)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_line_fits_and_no_word_is_broken(width):
    console = screen_of(width)
    with TrainingBar(console) as bar:
        bar.planned(plan(), 0)
        bar._bar.refresh()
        for step in (1, 2, 3, 200):
            bar.step(step, 12.3456, 0.9876, 1234.5)
            bar._bar.refresh()
    for line in lines(console):
        assert len(line) <= width
        assert "…" not in line
    last = lines(console)[-1]
    for word in ("1234 pictures/s", "loss 12.35", "accuracy 99%"):
        assert word in last
    assert "━" in last


def test_nothing_is_shown_before_it_is_known():
    console = screen_of(80)
    with TrainingBar(console) as bar:
        bar.planned(plan(), 0)
        bar._bar.refresh()
    assert all(set(line.replace("training", "")) <= set("━╺╸ ") for line in lines(console))


def test_figures_come_as_they_are_known():
    assert figures({"epoch": 1}, None, wide=False) == []
    known = {"epoch": 1, "epochs": 3, "speed": 99.6, "loss": 0.5, "accuracy": 0.75, "val": 0.5}
    told = ["0:42 left", "100 pictures/s", "loss 0.50", "accuracy 75%"]
    assert figures(known, 42, wide=False) == told
    assert figures(known, 42, wide=True) == ["epoch 1/3", *told, "validation 50.0%"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (42, "0:42"), (754, "12:34"), (7323, "2:02:03")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_no_bar_where_no_person_watches(problem):
    screen = io.StringIO()
    with TrainingBar(Console(file=screen)) as bar:
        train(tiny_model(), problem, progress=bar)
    assert screen.getvalue().strip() == ""
