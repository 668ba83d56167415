import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.report.words import (
    count,
    duration,
    heading,
    interval,
    large,
    paired_change,
    percent,
    sentence,
    significant,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.96078, "96.1%"), (1, "100%"), (0.0, "0%"), (0.99991, "99.99%"), (None, "–")],
)
def test_percent(value, shown):
    assert percent(value) == shown


@given(st.floats(0.0001, 0.9999))
def test_percent_never_rounds_to_none_or_all(value):
    assert float(percent(value, 0)[:-1]) not in (0, 100)


def test_interval_shows_decimals_where_it_is_narrow():
    assert interval([0.917, 0.982]) == "92–98%"
    assert interval([0.981, 0.992]) == "98.1–99.2%"
    assert interval(None) == "–"


def test_count():
    assert count(1, "picture") == "1 picture"
    assert count(1797, "picture") == "1,797 pictures"
    assert count(2, "class", "classes") == "2 classes"
    assert count(0, "picture") == "0 pictures"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(4.26, "4.3 s"), (59.6, "1 min"), (312, "5 min 12 s"), (7260, "2 h 1 min"), (None, "–")],
)
def test_duration(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(3_384_000, "3.4 million"), (385e6, "385 million"), (1.2e9, "1.2 billion"), (912, "912")],
)
def test_large(number, shown):
    assert large(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.0004, "0.0004"), (13.572, "13.6"), (2.3e-6, "0.0000023"), (1234.5, "1,234"), (0, "0"),
     (1.23e-9, "1.23e-09"), (20, "20"), (None, "–")],
)  # fmt: skip
def test_significant(number, shown):
    assert significant(number) == shown


def test_heading():
    assert heading("mean average precision") == "Mean average precision"
    assert heading("mAP, of boxes") == "MAP, of boxes"
    assert heading("") == ""


def test_sentence():
    assert sentence("nothing was better") == "Nothing was better."
    assert sentence("Is it? ") == "Is it?"
    assert sentence("") == ""


def test_no_difference_on_few_pictures_is_bounded():
    change = {"difference": 0.0, "interval": (-0.1, 0.1), "better": 0, "worse": 0, "pictures": 24}
    said = paired_change(change)
    assert said.startswith("no difference on 24 test pictures") and "12 points" in said
    said = paired_change(change | {"better": 1, "worse": 1, "pictures": 64})
    assert "paired 95% interval -10.0 to +10.0; 1 became right, 1 wrong" in said
