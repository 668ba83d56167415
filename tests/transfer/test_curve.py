import numpy as np
import pytest

from darter.transfer.curve import advice, power_law
from darter.transfer.records import CurvePoint
from darter.transfer.table import place


def points(errors, smallest=50, standard_error=0.005):
    return [CurvePoint(smallest << i, 1 - e, standard_error) for i, e in enumerate(errors)]


def test_power_law_is_found():
    curve = points([2 * n**-0.4 for n in (50, 100, 200, 400)])
    a, b = power_law(curve)
    assert (a, b) == (pytest.approx(2), pytest.approx(0.4))


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ([0.4, 0.3, 0.22, 0.16], "well worth collecting"),
        ([0.11, 0.102, 0.1, 0.1], "would change little"),
        ([0.3, 0.2], "too few pictures"),
        ([0.2, 0.1, 0.0], "no mistake"),
    ],
)
def test_advice(errors, says):
    sentence = advice(points(errors))
    assert says in sentence and sentence.endswith(".")


def test_advice_extrapolates_one_doubling():
    sentence = advice(points([0.4 * 2 ** (-0.5 * i) for i in range(4)]))
    assert "errs on 14.1%" in sentence and "about 10.0%" in sentence


def test_a_curve_that_gets_worse_promises_nothing():
    _, b = power_law(points([0.1, 0.11, 0.12]))
    assert b == 0
    assert "change little" in advice(points([0.1, 0.11, 0.12]))


def put(per_class, last, every, best, *, chance=0.1, surely=None, compared=4):
    return place(
        pictures_per_class=per_class, chance=chance, last_layer=last, all_layers=every,
        best=best, best_name="fine-tune-all", best_surely=best if surely is None else surely,
        compared=compared, more_data="More would help.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "per_class", "last", "every", "best"),
    [
        (("little", "similar"), 20, 0.9, 0.9, 0.92),
        (("plenty", "similar"), 1000, 0.9, 0.91, 0.92),
        (("plenty", "different"), 1000, 0.75, 0.78, 0.92),
        (("little", "different"), 20, 0.75, 0.75, 0.92),
        (("little", "different"), 20, 0.88, 0.92, 0.92),  # inner layers know more
    ],
)
def test_every_cell(cell, per_class, last, every, best):
    found = put(per_class, last, every, best)
    assert (found.amount, found.similarity) == cell
    assert len(found.reasons) == 3 and found.advice


def test_in_trouble_gets_real_help():
    help_text = put(20, 0.5, 0.6, 0.7).advice
    for part in ("all layers", "first blocks", "from scratch", "More would help."):
        assert part in help_text


def test_last_layer_share_is_measured_above_chance():
    assert put(20, 0.55, None, 0.7).last_layer_share == pytest.approx(0.45 / 0.6)
    assert put(20, 0.05, None, 0.2).last_layer_share == 0
    assert np.isfinite(put(20, 0.1, None, 0.1001).last_layer_share)


def test_one_strategy_alone_cannot_tell_the_kind_of_task():
    found = put(300, 0.9, None, 0.9, compared=1)
    assert (found.amount, found.similarity, found.last_layer_share) == ("plenty", "unknown", None)
    assert "Cannot tell" in found.reasons[-1] and "only one strategy" in found.reasons[-1]


def test_where_nothing_learned_the_kind_of_task_cannot_be_told():
    found = put(20, 0.88, 0.89, 0.92, chance=0.9, surely=0.87)
    assert found.similarity == "unknown"
    assert "nothing learned" in found.reasons[-1] and "90.0%" in found.reasons[-1]
