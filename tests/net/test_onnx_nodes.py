"""The ONNX project's own tests of single operations: none may be wrong, and few refused."""

from pathlib import Path

import pytest

from bench.onnx_node_tests import MARK, OPS, cases, compiled, outcome, table
from darter.net.translate.table import TRANSLATIONS
from tests.references.net import run_graph

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture(scope="module")
def outcomes():
    return [outcome(case, compiled) for case in cases()]


@pytest.mark.slow
def test_the_plain_executor_agrees():
    """What the compiled engine is held against elsewhere is right itself."""
    results = [outcome(case, run_graph) for case in cases()]
    assert [each for each in results if each.state == "wrong"] == []


def test_every_operation_is_tested(outcomes):
    assert {each.op for each in outcomes} == set(OPS)
    assert set(OPS) - {"Constant", "Shape"} <= set(TRANSLATIONS)


def test_none_is_wrong(outcomes):
    assert [each for each in outcomes if each.state == "wrong"] == []


def test_at_least_as_many_pass_as_the_docs_say(outcomes):
    """Other versions of onnx have more tests or fewer; the share is what counts."""
    passed = sum(each.state == "passed" for each in outcomes)
    assert passed / len(outcomes) >= 0.7


def test_each_refusal_says_why(outcomes):
    assert all(each.why for each in outcomes if each.state == "refused")


def test_the_docs_have_the_table(outcomes):
    import onnx

    documented = DOCS.read_text()
    version = f"onnx {onnx.__version__}"
    if version in documented:
        assert documented.endswith(MARK + "\n" + table(outcomes))
