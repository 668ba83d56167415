from dataclasses import dataclass

import pytest

from darter.report import table


@dataclass(frozen=True)
class Timing:
    layer_name: str
    milliseconds: float
    weights: int | None = None


def test_dataclasses_become_rows_with_named_columns():
    shown = str(table([Timing("conv1", 1.23456, 9408), Timing("fc", 0.5)], title="Timings"))
    title, heading, _rule, first, second = filter(None, shown.splitlines())
    assert title == "Timings"
    assert heading.split() == ["layer", "name", "milliseconds", "weights"]
    assert first.split() == ["conv1", "1.235", "9,408"]
    assert second.split() == ["fc", "0.5", "–"]
    assert first.index("1.235") + 5 == second.index("0.5") + 3, "numbers end at one column"


def test_columns_are_chosen_and_headed_by_the_caller():
    shown = str(table([{"a": 1, "b": True}], columns={"b": "is b?"}))
    assert shown.split()[:2] == ["is", "b?"]
    assert "yes" in shown
    assert "1" not in shown


def test_markup_in_names_is_shown_as_it_is():
    assert "[red]x[/red]" in str(table([{"label": "[red]x[/red]"}]))


def test_no_records_is_an_empty_table():
    assert str(table([], columns=["label"])).split()[0] == "label"


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="dict or a dataclass, got int"):
        table([3])
