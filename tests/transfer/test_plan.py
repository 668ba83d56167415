"""How much a rung of the race may cost."""

from hypothesis import given
from hypothesis import strategies as st

from darter.transfer import STRATEGIES, Candidate
from darter.transfer.plan import plan_rung, usual

NAMES = ("fine-tune-last", "fine-tune-all", "scratch")


@given(st.floats(1e-3, 1e9))
def test_usual_numbers_are_the_next_below_on_a_coarse_scale(pictures):
    found = usual(pictures)
    assert found <= pictures * (1 + 1e-6) < 1.26 * found
    assert usual(found) == found


def test_times_that_differ_a_little_give_the_same_rung():
    candidates = [Candidate(STRATEGIES[name], 0.001) for name in NAMES]

    def rung(slower):
        costs = {n: slower * cost for n, cost in zip(NAMES, (0.006, 0.02, 0.021), strict=True)}
        return plan_rung(
            candidates, costs, 60.0, train=800, held=200, folds=5, classes=2, last=False
        )

    assert rung(1.0) == rung(1.04)
    assert rung(1.0) != rung(1.6)
