"""Averages of weights: EMA, SWA, greedy soup; batch norms after them."""

import torch
from torch import nn

from darter.noise import Average, EqualAverage, greedy_soup, recompute_statistics


def test_average_is_the_formula():
    live = {"w": torch.tensor([1.0, 2.0]), "count": torch.tensor(0)}
    average = Average(live, decay=0.9)
    expected = live["w"].clone()
    for step in range(1, 30):
        live["w"] += 1
        live["count"] += 1
        average.update()
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * live["w"]
    torch.testing.assert_close(average.values["w"], expected)
    assert average.values["count"] == 29
    with average.applied():
        torch.testing.assert_close(live["w"], expected)
    assert live["w"].tolist() == [30.0, 31.0]


def test_equal_average_counts_every_step_from_its_start_alike():
    live = {"w": torch.zeros(2), "count": torch.tensor(0)}
    average = EqualAverage(live)
    seen = []
    for step in range(10):
        live["w"] += step
        live["count"] += 1
        average.update(counts=step >= 3)
        seen.append(live["w"].clone())
        if step <= 3:
            torch.testing.assert_close(average.values["w"], seen[-1])
    torch.testing.assert_close(average.values["w"], torch.stack(seen[3:]).mean(dim=0))
    assert average.values["count"] == 10


def test_a_soup_keeps_what_helps_and_leaves_out_what_harms():
    """Weights are scored by their distance to 1: 0.8 and 1.2 are better together, 9 is not."""

    def judge(weights):
        return -abs(float(weights["w"]) - 1)

    values = [torch.tensor(v) for v in (9.0, 0.8, 1.2)]
    ingredients = [(judge({"w": v}), {"w": v, "count": torch.tensor(7)}) for v in values]
    soup, taken = greedy_soup(ingredients, judge)
    assert sorted(taken) == [1, 2] and soup["count"] == 7
    torch.testing.assert_close(soup["w"], torch.tensor(1.0))
    assert values[1] == 0.8, "the ingredients themselves stay"


def test_recomputed_statistics_are_those_of_all_pictures():
    torch.manual_seed(0)
    norm, other = nn.BatchNorm2d(3, momentum=0.1), nn.BatchNorm2d(3)
    model = nn.Sequential(norm, other).eval()
    batches = [torch.randn(8, 3, 4, 4) * 2 + 5 for _ in range(4)]
    before = other.running_mean.clone()
    assert recompute_statistics(model, [norm], batches) == 1
    everything = torch.cat(batches)
    torch.testing.assert_close(norm.running_mean, everything.mean(dim=(0, 2, 3)))
    means = torch.stack([b.var(dim=(0, 2, 3)) for b in batches]).mean(dim=0)
    torch.testing.assert_close(norm.running_var, means)
    assert torch.equal(other.running_mean, before), "norms that were not named stay"
    assert norm.momentum == 0.1 and not norm.training
