import csv
import io
import json
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darter.names import encodable, from_cell, one_form, to_cell, to_json, visible

# Any name that a file system may hold: any bytes but NUL and slash.
file_names = st.binary(min_size=1, max_size=40).map(
    lambda name: os.fsdecode(name.replace(b"\0", b"0").replace(b"/", b"1"))
)
odd = st.text(st.sampled_from("a\\=+-@'\t\r\n\x1b\x7f\x9b\u202e\u2028\ufeff\udce9\U000e0001é"))
texts = st.one_of(file_names, odd, st.text())

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(texts)
def test_visible_text_keeps_to_its_line_and_its_place(text):
    shown = visible(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert not set(shown) & set(BIDI)
    assert len(shown.splitlines()) == (1 if shown else 0)
    shown.encode()
    assert visible(shown) == shown


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))))
def test_what_people_can_read_stays(text):
    assert visible(text) == text


def test_the_documented_forms():
    name = os.fsdecode(b"caf\xe9\n.jpg")
    assert visible(name) == encodable(name).replace("\n", "\\n") == "caf\\udce9\\n.jpg"
    assert to_json([name]) == '["caf\\udce9\\n.jpg"]'
    assert visible("семья 👨‍👩‍👧 می‌خواهم 　") == "семья 👨‍👩‍👧 می‌خواهم 　"
    assert one_form("cafe\u0301") == "café"


@given(st.dictionaries(texts, st.one_of(texts, st.integers(), st.none())))
def test_json_holds_any_name_exactly_and_shows_none_of_its_tricks(value):
    text = to_json(value, indent=1)
    text.encode()
    assert json.loads(text) == value
    assert all(visible(line) == line for line in text.split("\n"))


@given(texts)
def test_cells_are_no_formulas_and_can_be_read_back(text):
    written = io.StringIO()
    csv.writer(written).writerow([to_cell(text), "end"])
    written.getvalue().encode()
    ((cell, _),) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert text in from_cell(cell)


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none()))
def test_numbers_are_no_text(value):
    assert to_cell(value) is value


@pytest.mark.parametrize("cell", ["ants/1.jpg", "a'b", "'quoted'", "C:\\users\\1.jpg"])
def test_ordinary_cells_mean_themselves(cell):
    assert list(from_cell(cell)) == [cell]
