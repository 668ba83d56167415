"""Docstrings become lists, sentences and code on the site, as their writers meant them."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("griffe", reason="mkdocstrings is not installed (docs/requirements.txt)")
FILE = Path(__file__).parents[2] / "docs" / "docstrings.py"
SPEC = importlib.util.spec_from_file_location("docstrings", FILE)
docstrings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(docstrings)
markdown = docstrings.markdown


def test_names_become_a_list():
    text = "Do it.\n\nx: float32 (N, C),\n    or more.\na, b: two: of them.\nReturns y.\nRaises E."
    assert markdown(text) == (
        "Do it.\n\n- `x`: float32 (N, C), or more.\n- `a`, `b`: two: of them."
        "\n\nReturns y.\n\nRaises E."
    )


def test_several_names_of_a_line_are_parted():
    text = "n: pictures.   left_out: what\nis not among them.   done(i, n):\n    after each."
    assert markdown(text) == (
        "- `n`: pictures.\n- `left_out`: what is not among them.\n- `done(i, n)`: after each."
    )


def test_examples_are_code():
    text = "Load.\n\n>>> load(1)\n2\n>>> load(2)\n3"
    assert markdown(text) == "Load.\n\n```pycon\n>>> load(1)\n2\n>>> load(2)\n3\n```"


def test_sentences_stay_sentences():
    text = "Say what is\nin pictures: and more.\n\nIt costs: nothing."
    assert markdown(text) == "Say what is in pictures: and more.\n\nIt costs: nothing."


def test_an_announced_drawing_is_left_alone():
    assert markdown("kinds:\n\n    a ── b") == "kinds:\n\n    a ── b"
