"""Progress in a notebook: lines above one bar, in one output that is written anew."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from darter.job.notebook import NotebookScreen, in_notebook
from darter.train import Plan


@pytest.fixture
def shown(monkeypatch):
    """Every text that a notebook's output had."""
    texts: list[str] = []

    class Handle:
        def update(self, html):
            texts.append(html)

    def display(html, display_id):
        texts.append(html)
        return Handle()

    module = ModuleType("IPython.display")
    module.HTML, module.display = str, display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("darter.job.notebook.SECONDS", 0)
    return texts


def test_lines_stay_and_the_bar_goes(shown):
    screen = NotebookScreen()
    screen.line("audit", "24 pictures <of> 2 classes\nall fine", 1.25)
    assert "<b>audit</b>" in shown[-1] and "&lt;of&gt; 2 classes  1.2 s<br>all fine" in shown[-1]
    with screen.bar("features") as progress:
        progress(3, 12)
    assert "value='0.2500'" in shown[-1] and "3/12 pictures" in shown[-1]
    with screen.race() as progress:
        progress("fine-tune-all", 0.5)
    assert "fine-tune-all" in shown[-1] and "<b>audit</b>" in shown[-1]
    screen.line("choose", "linear-probe")
    assert "<progress" not in shown[-1]


def test_training_is_told(shown):
    plan = Plan.__new__(Plan)
    for name, value in {"epochs": 2, "steps": 10, "steps_per_epoch": 5}.items():
        object.__setattr__(plan, name, value)
    with NotebookScreen().training() as bar:
        bar.planned(plan, 0)
        bar.step(6, 0.5, 0.75, 120.0)
    told = next(text for text in shown if "<progress" in text)
    assert "epoch 2/2" in told and "120 pictures/s" in told and "accuracy 75%" in told


def test_a_terminal_is_no_notebook(monkeypatch):
    assert not in_notebook()
    terminal = ModuleType("IPython")
    terminal.get_ipython = lambda: SimpleNamespace()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    assert not in_notebook()
    terminal.get_ipython = lambda: SimpleNamespace(kernel=1)  # type: ignore[attr-defined]
    assert in_notebook()
