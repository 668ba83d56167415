import io

import pytest
from rich.console import Console

from darter.job import Screen

LONG = "linear-probe: 96.1% on 207 held-out pictures, the best; the other one reached 95.7%"


def screen(width, *, terminal):
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=width, color_system=None, highlight=False
    )
    return Screen(console), console.file


@pytest.mark.parametrize("width", [40, 60, 80])
def test_on_a_terminal_lines_are_broken_between_words(width):
    shown, file = screen(width, terminal=True)
    shown.line("choose", LONG, 18.7)
    rows = file.getvalue().splitlines()
    assert all(len(row) <= width for row in rows) and len(rows) > 1
    assert rows[0].startswith("choose     linear-probe:")
    assert all(row.startswith(" " * 11) for row in rows[1:])
    assert " ".join(" ".join(rows).split()) == f"choose {LONG} 18.7 s"


def test_elsewhere_a_line_stays_one_line():
    shown, file = screen(60, terminal=False)
    shown.line("choose", LONG)
    assert file.getvalue() == f"choose     {LONG}\n"


def test_a_path_is_never_broken():
    shown, file = screen(40, terminal=True)
    path = "/home/somebody/with a space/" + "long" * 12 + "/report.html"
    shown.line("look at", path.replace(" ", "_"))
    assert path.replace(" ", "_") in file.getvalue()


@pytest.mark.parametrize("width", [60, 80])
def test_bars_fit_the_terminal(width):
    shown, file = screen(width, terminal=True)
    with shown.bar("features") as progress:
        progress(12_345, 50_000)
    with shown.race() as progress:
        progress("fine-tune-last at rate 0.0004, 4 epochs, fold 3 of 5, and more words", 0.3)
    for row in file.getvalue().replace("\r", "\n").splitlines():
        visible = "".join(c for c in row if c.isprintable())
        assert len(visible.replace("[1A", "").replace("[2K", "").replace("[?25l", "")) <= width
    assert "12345/50000 pictures" in file.getvalue()


def test_quiet_shows_nothing(capfd):
    Screen(quiet=True).line("audit", "397 pictures")
    assert capfd.readouterr() == ("", "")
