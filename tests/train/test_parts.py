"""Schedule, plan, averaged weights, loss, checkpoints: each against what it says."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from darter.errors import DataError, OptionError
from darter.train import Recipe
from darter.train.checkpoint import check_same, load_checkpoint, save_checkpoint
from darter.train.loss import (
    BinaryCrossEntropies,
    CrossEntropy,
    make_loss,
    picture_weights,
    settle_balance,
)
from darter.train.optimizer import settle_recipe
from darter.train.pictures import balanced_order
from darter.train.plan import Plan, Speed, make_plan, replan
from darter.train.schedule import rate_factor
from darter.transfer import STRATEGIES

ALL = STRATEGIES["fine-tune-all"]


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from(["cosine", "constant"]))
def test_rate_rises_then_falls(steps, warmup, schedule):
    factors = [rate_factor(s, steps, warmup=warmup, schedule=schedule) for s in range(steps)]
    rising = round(warmup * steps)
    assert all(0 < f <= 1 for f in factors)
    assert factors[:rising] == sorted(factors[:rising])
    assert factors[rising:] == sorted(factors[rising:], reverse=True)
    if rising < steps:
        assert factors[rising] == 1
    if schedule == "cosine" and rising == 0 and steps > 1:
        middle = factors[steps // 2]
        assert math.isclose(middle, 0.5 * (1 + math.cos(math.pi * (steps // 2) / steps)))


def plan(recipe=None, **options):
    options = {"pictures": 160, "class_balance": "none", **options}
    recipe = settle_recipe(recipe or Recipe(precision="float32"), ALL)
    return make_plan(recipe, ALL, **options)


def test_plan_without_a_limit_takes_the_strategys_epochs():
    assert plan().epochs == ALL.epochs == 20
    assert plan().steps == 20 * 10
    assert plan().learning_rate == ALL.default_learning_rate
    assert plan(pictures=32).epochs == 100, "a tiny data set gets 200 steps"
    assert plan(Recipe(epochs=3, accumulate=4)).steps == 3 * 3


def test_plan_respects_the_time():
    speed = Speed({"float32": 0.5}, load=0.1, evaluate=1.0)
    limited = plan(speed=speed, seconds=60.0)
    spent = limited.steps * 0.6 + limited.epochs * 1.0
    assert 40 < spent <= 54
    assert limited.epochs == math.ceil(limited.steps / 10)
    assert "fit into 60 s" in limited.why[-1]
    assert plan(speed=speed, seconds=0.1).steps == 1, "the least that can be called training"
    assert plan(speed=speed, seconds=1e6).steps == 200


def test_half_precision_must_be_worth_it():
    recipe = Recipe()
    fast = Speed({"float32": 1.0, "bfloat16": 0.5})
    slow = Speed({"float32": 1.0, "bfloat16": 0.95})
    assert plan(recipe, speed=fast).precision == "bfloat16"
    assert plan(recipe, speed=slow).precision == "float32"
    assert "bfloat16 0.5 s per step" in plan(recipe, speed=fast).why[-1]


def test_loading_hides_only_behind_another_processor():
    assert Speed({"float32": 1.0}, load=0.5).seconds("float32") == 1.5
    assert Speed({"float32": 1.0}, load=0.5, overlaps=True).seconds("float32") == 1.0


def test_replan_shortens_a_slow_run_only():
    start = plan()
    assert replan(start, 10, elapsed=10.0, seconds=300.0) is start
    shorter = replan(start, 10, elapsed=30.0, seconds=300.0)
    assert 10 < shorter.steps <= 100
    assert "shortened to" in shorter.why[-1]
    assert replan(start, 150, elapsed=299.0, seconds=300.0).steps == 151
    assert Plan.from_dict(shorter.to_dict()) == shorter


def test_replan_lengthens_a_fast_run_up_to_what_was_wanted():
    limited = plan(speed=Speed({"float32": 1.0}), seconds=100.0)
    assert limited.steps == 90 and limited.wanted == 200
    assert replan(limited, 10, elapsed=9.5, seconds=100.0) is limited, "not worth a change"
    longer = replan(limited, 10, elapsed=6.0, seconds=100.0)
    assert longer.steps == 150 and longer.epochs == 15
    assert "lengthened to 150" in longer.why[-1]
    assert replan(limited, 10, elapsed=1.0, seconds=100.0).steps == limited.wanted


def test_loss_is_torchs():
    logits, labels = torch.randn(7, 4), torch.tensor([0, 1, 2, 3, 0, 1, 1])
    weights = torch.tensor([0.5, 1.0, 2.0, 0.1])
    ours = CrossEntropy(4, 0.2)
    expected = cross_entropy(logits, labels, label_smoothing=0.2, reduction="sum")
    torch.testing.assert_close(ours(logits, ours.targets(labels)), expected)
    weighed = CrossEntropy(4, 0.0, weights)
    expected = cross_entropy(logits, labels, weight=weights, reduction="sum")
    torch.testing.assert_close(weighed(logits, weighed.targets(labels)), expected)


def test_class_weights_balance():
    labels = np.array([0] * 6 + [1] * 2 + [3])
    weights = picture_weights(labels, 4)
    np.testing.assert_allclose(np.bincount(labels, weights[labels], 4), [3, 3, 0, 3])
    assert weights[labels].mean() == 1
    assert settle_balance("auto", labels, 4) == "weights"
    assert settle_balance("auto", np.array([0, 0, 1]), 2) == "none"
    assert settle_balance("sampling", np.array([0, 0, 1]), 2) == "sampling"


def test_balanced_order_draws_classes_equally():
    labels = np.array([0] * 90 + [1] * 10)
    order = balanced_order(labels, seed=3)
    drawn = np.concatenate([labels[order(epoch)] for epoch in range(40)])
    assert abs(drawn.mean() - 0.5) < 0.03
    assert (order(1) == order(1)).all() and (order(1) != order(2)).any()


def test_checkpoint_is_whole_or_named(tmp_path):
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, {"step": 3, "weights": torch.arange(4)})
    (tmp_path / ".last.pt.abc").write_bytes(b"cut short")
    state = load_checkpoint(tmp_path)
    assert state["step"] == 3 and state["weights"].tolist() == [0, 1, 2, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]
    content = (tmp_path / "last.pt").read_bytes()
    (tmp_path / "last.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"last\.pt is damaged .* Remove it to train"):
        load_checkpoint(tmp_path)


def test_checkpoint_runs_no_code(tmp_path):
    torch.save({"version": 1, "evil": pytest.raises}, tmp_path / "last.pt")
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint(tmp_path)


def test_failed_write_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, {"step": 1})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        save_checkpoint(tmp_path, {"step": 2})
    assert load_checkpoint(tmp_path)["step"] == 1


def test_resuming_something_else_says_what_differs():
    about = {"strategy": "a", "recipe": {"epochs": 3, "augment": {"flip": {"p": 0.5}}}}
    check_same(about, about)
    other = {"strategy": "a", "recipe": {"epochs": 3, "augment": {"flip": {"p": 0.1}}}}
    with pytest.raises(OptionError, match=r"recipe\.augment\.flip\.p was 0.1 and is now 0.5"):
        check_same(about, other)


def test_loss_of_several_labels_is_torchs():
    logits, targets = torch.randn(5, 3), (torch.rand(5, 3) < 0.5).float()
    expected = binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    torch.testing.assert_close(BinaryCrossEntropies()(logits, targets), expected)
    softer = 0.8 * targets + 0.1
    expected = binary_cross_entropy_with_logits(logits, softer, reduction="sum")
    torch.testing.assert_close(BinaryCrossEntropies(0.2)(logits, targets), expected)


def test_rare_labels_weigh_more_where_asked():
    targets = np.zeros((10, 2), np.float32)
    targets[:5, 0] = targets[0, 1] = 1
    loss = make_loss("multilabel", targets, 2, smoothing=0.0, balance="weights")
    assert loss.label_weights.tolist() == pytest.approx([1.0, 9.0])
    assert settle_balance("auto", targets, 2) == "none"
    with pytest.raises(OptionError, match="needs one label per picture"):
        settle_balance("sampling", targets, 2)
