"""Plans and passes against the reference, on random graphs of every operation."""

import pytest

from darter.net.ops import OPS
from tests.net.random_graphs import difference, random_case, show

QUICK, ALL = 400, 20_000
# Places jump where values are near, and so do whole numbers (for these see test_integer_layers).
NOT_DRAWN = {"Arg", "TopPlaces", "GatherAlong", "KeepBoxes", "AlignRegions"}
NOT_DRAWN |= {each for each in OPS if each.startswith("Integer")} | {"Quantize", "Dequantize"}


def check(numbers):
    faults = [n for n in numbers if difference(random_case(n), n) > 1]
    assert not faults, "\n".join(f"graph {n}: {show(random_case(n))}" for n in faults[:3])


def test_random_graphs_agree_with_the_reference():
    check(range(QUICK))


@pytest.mark.slow
def test_many_random_graphs_agree_with_the_reference():
    check(range(QUICK, ALL))


def test_random_graphs_have_every_operation():
    drawn = {node.op for n in range(QUICK) for node in random_case(n).graph.nodes}
    assert drawn == set(OPS) - NOT_DRAWN
