import json

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from darter.errors import OptionError
from darter.train import Examples
from darter.transfer import STRATEGIES
from tests.train.tiny import QUICK, tiny_model, tiny_pictures, train

NOBODY = Examples((), np.zeros(0, np.int64))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_fit_learns_the_tint(model, problem):
    fitted = train(model, problem, QUICK.replace(epochs=15))
    assert fitted.val_accuracy >= 0.9
    assert fitted.ended == "all epochs"
    assert [record["epoch"] for record in fitted.history] == list(range(16))
    assert fitted.history[-1]["loss"] < fitted.history[1]["loss"]


def test_accumulation_equals_a_large_batch(problem):
    """Where nothing looks across a batch: statistics frozen, no dropout, no clipping by part."""
    whole = QUICK.replace(batch_size=24, ema=0.0, dropout=0.0, epochs=2, class_balance="weights")
    parts = whole.replace(batch_size=8, accumulate=3)
    examples = tiny_pictures(48)
    one, other = tiny_model(), tiny_model()
    train(one, problem, whole, train=examples)
    train(other, problem, parts, train=examples)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert not torch.equal(one.linear.weight, tiny_model().linear.weight)


def test_one_step_is_the_textbooks(problem):
    """SGD without momentum: weights - rate * gradient of the mean smoothed cross-entropy."""
    recipe = QUICK.replace(
        optimizer="sgd", momentum=0.0, weight_decay=0.0, clip_gradient=0.0, ema=0.0, dropout=0.0,
        warmup=0.0, epochs=1, batch_size=8, learning_rate=0.1, layer_decay=0.5, head_multiplier=3.0,
    )  # fmt: skip
    examples = tiny_pictures(8)
    model, plain = tiny_model(), tiny_model()
    train(model, problem, recipe, train=examples)

    images = [
        np.stack([_written(problem.augment, p.pixels, n) for n, p in enumerate(examples.pictures)])
    ]
    logits = plain(torch.from_numpy(images[0]))
    cross_entropy(logits, torch.from_numpy(examples.targets), label_smoothing=0.1).backward()
    rates = {"head": 0.3, "net.top": 0.1, "net.stem": 0.05}
    for (name, value), (_, expected) in zip(
        model.named_parameters(), plain.named_parameters(), strict=True
    ):
        rate = next(r for part, r in rates.items() if part in name)
        moved = expected.detach() - rate * expected.grad
        torch.testing.assert_close(value.detach(), moved, rtol=1e-4, atol=1e-6)


def _written(augment, pixels, index):
    out = np.empty((3, augment.size, augment.size), np.float32)
    augment.write(pixels, out, 0, 0, index)
    return out


@pytest.mark.parametrize("name", ["fine-tune-last", "fine-tune-first", "fine-tune-all"])
@pytest.mark.parametrize("statistics", ["frozen", "updated"])
def test_frozen_parts_keep_their_bits(problem, name, statistics):
    model, strategy = tiny_model(), STRATEGIES[name]
    before = state(model)
    train(model, problem, QUICK.replace(norm_statistics=statistics), strategy)
    learning = {m for block in strategy.learning_blocks(model.backbone) for m in block.modules}
    for key, value in model.state_dict().items():
        owner, leaf = key.removeprefix("backbone.").removeprefix("net.").rsplit(".", 1)
        learns = owner in learning or key.startswith("head")
        if leaf.startswith(("running", "num_batches")):
            learns = learns and statistics == "updated"
        assert torch.equal(value, before[key]) != learns, key


def test_probe_is_only_measured(problem):
    model = tiny_model(layers="all")
    before = state(model)
    fitted = train(model, problem, strategy=STRATEGIES["linear-probe-all-layers"])
    assert fitted.ended == "nothing to train" and fitted.plan is None
    assert fitted.val_logits.shape == (12, 3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_best_epoch_is_kept(problem):
    """A rate that ruins the net: patience ends the run and gives the first weights back."""
    good = train(tiny_model(), problem, QUICK.replace(epochs=15)).model
    before = state(good)
    ruin = QUICK.replace(epochs=30, learning_rate=3.0, warmup=0.0, patience=2, ema=0.0)
    fitted = train(good, problem, ruin)
    assert fitted.ended == "early stopping"
    assert len(fitted.history) < 31
    best = max(fitted.history, key=lambda r: (r["val_accuracy"], r["epoch"]))
    assert fitted.best_epoch == best["epoch"]
    assert fitted.val_accuracy == best["val_accuracy"]
    if best["epoch"] == 0:
        assert all(torch.equal(v, before[n]) for n, v in good.state_dict().items())


def test_patience_waits_for_half_of_a_long_training(problem):
    ruin = QUICK.replace(epochs=40, learning_rate=3.0, warmup=0.0, patience="auto", ema=0.0)
    fitted = train(tiny_model(), problem, ruin)
    last = fitted.history[-1]["epoch"]
    assert (fitted.ended == "early stopping") == (last < 40)
    assert last - fitted.best_epoch == 20 or last == 40


def test_val_logits_are_the_models(model, problem):
    fitted = train(model, problem)
    images = problem.preprocess.batch(problem.val.pictures)
    with torch.no_grad():
        expected = fitted.model(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(fitted.val_logits, expected, atol=1e-5)
    assert not fitted.model.training


def test_without_validation_every_epoch_is_trained(model, problem):
    fitted = train(model, problem, QUICK.replace(patience=1), val=NOBODY)
    assert fitted.ended == "all epochs" and fitted.best_epoch == 3
    assert fitted.val_accuracy is None
    assert fitted.history[-1]["val_loss"] is None


def test_fewer_pictures_than_a_batch(model, problem):
    fitted = train(model, problem, train=tiny_pictures(5))
    assert fitted.plan.steps_per_epoch == 1
    assert fitted.history[-1]["step"] == 3


def test_divergence_says_what_to_change(model, problem):
    model.linear.weight.data.fill_(float("nan"))
    with pytest.raises(OptionError, match=r"the loss became nan at step 0 with learning_rate 0.01"):
        train(model, problem)


def test_time_limit_plans_and_ends(problem):
    recipe = QUICK.replace(epochs=100_000)
    fitted = train(tiny_model(), problem, recipe, seconds=1.5)
    assert fitted.plan.epochs < 100_000
    assert any("fit into" in why for why in fitted.plan.why)
    assert fitted.history[-1]["seconds"] < 4
    assert fitted.history[-1]["step"] >= 1


def test_caller_keeps_its_random_numbers_and_settings(model, problem):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(model, problem, QUICK.replace(dropout=0.5))
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_records_of_a_run(tmp_path, model, problem):
    fitted = train(model, problem, out=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert tuple(lines) == fitted.history
    assert lines[0]["loss"] is None and lines[0]["val_accuracy"] is not None
    assert lines[1].keys() == {
        "stage", "epoch", "epochs", "step", "loss", "train_accuracy", "val_loss", "val_accuracy",
        "learning_rate", "pictures_per_second", "seconds", "waited_seconds",
    }  # fmt: skip
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
