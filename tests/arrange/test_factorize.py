"""A whole net rewritten: by speed, by size and by loss."""

import numpy as np
import pytest
import torch
from torch import nn

from darter.arrange import GraphModule, Stopwatch, Tuning, Wish, factorize, measure_norms, prune
from darter.arrange.candidates import Candidate
from darter.arrange.captured import fit_last, patches, places, project
from darter.arrange.choose import steps
from darter.arrange.cost import Cost
from darter.arrange.kinds import KINDS, LINEAR_KINDS
from darter.errors import OptionError, UnsupportedError
from darter.net import Graph, to_model
from tests.net.onnx_nets import N, graph_of, net

torch.manual_seed(0)


class BySize(Stopwatch):
    """Milliseconds that do not depend on the machine: a thousandth for each weight."""

    def cost(self, layer, shape):
        found = super().cost(layer, shape)
        return Cost(found.weights / 1000, found.weights, found.multiply_adds)

    def ms(self, graph):
        return sum(w.size for w in graph.weights.values()) / 1000


def low_rank_net() -> nn.Module:
    """Layers that are of rank 4, apart from a little noise: half of them can go unnoticed."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip
    with torch.no_grad():
        made[2].weight.copy_(
            (torch.randn(32, 4) @ torch.randn(4, 288) / 20).reshape(32, 32, 3, 3)
            + 1e-3 * torch.randn(32, 32, 3, 3)
        )
        made[6].weight.mul_(20)
    return made.eval()


X = torch.randn(96, 3, 12, 12)


def answers(net):
    with torch.no_grad():
        return net(X).argmax(1)


def rewrite(net, wish, tuning=None, **options):
    truth = answers(net)
    watch = BySize()
    return factorize(
        net,
        X,
        lambda made: float((answers(made) == truth).float().mean()),
        wish,
        time=lambda made: sum(p.numel() for p in made.parameters()) / 1000,
        watch=watch,
        tuning=tuning or Tuning(steps=0),
        **options,
    )


def test_a_wish_of_speed_is_met_with_little_damage():
    made = low_rank_net()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    found = rewrite(made, Wish(speedup=2.0))
    assert found.met
    assert found.ms[0] / found.ms[1] >= 2.0
    assert found.score[1] > 0.95
    changed = [row for row in found.layers if row.weights[0] != row.weights[1]]
    assert [row.name for row in changed] == ["2"]
    assert changed[0].unmet < 0.01
    for name, value in made.state_dict().items():  # what was given stays as it was
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_wish_of_size_and_one_of_little_loss():
    found = rewrite(low_rank_net(), Wish(size=4 * 6000))
    assert found.met
    assert sum(p.numel() for p in found.net.parameters()) <= 6000
    found = rewrite(low_rank_net(), Wish(max_loss=0.05))
    assert found.met
    assert found.score[0] - found.score[1] <= 0.05
    assert found.ms[1] < found.ms[0]


def test_what_cannot_be_met_is_said():
    found = rewrite(low_rank_net(), Wish(speedup=1000.0))
    assert not found.met
    assert found.ms[1] < found.ms[0]


def test_layers_that_would_not_be_faster_are_left_alone():
    class Slow(BySize):
        def cost(self, layer, shape):
            found = super().cost(layer, shape)
            several = isinstance(layer, nn.Sequential)
            return Cost(9.0 if several else 1.0, found.weights, found.multiply_adds)

    found = factorize(
        low_rank_net(), X, lambda made: 1.0, Wish(speedup=2.0), time=lambda made: 3.0, watch=Slow(),
        tuning=Tuning(steps=0),
    )  # fmt: skip
    assert not found.met
    assert all("no split of it is faster here" in row.why for row in found.layers)


def test_teaching_brings_a_damaged_net_nearer_to_the_original():
    torch.manual_seed(1)
    hard = nn.Sequential(*low_rank_net())
    nn.init.normal_(hard[2].weight, 0, 0.1)
    plain = rewrite(hard, Wish(speedup=3.0))
    taught = rewrite(hard, Wish(speedup=3.0), Tuning(steps=30, rate=3e-3))
    with torch.no_grad():
        goal = hard(X).softmax(1)
        errors = [float((f.net(X).softmax(1) - goal).abs().mean()) for f in (plain, taught)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("wish", [{}, {"speedup": 0.5}, {"max_loss": -1.0}, {"ms": float("nan")}])
def test_wishes_must_make_sense(wish):
    with pytest.raises(OptionError):
        Wish(**wish)


def test_patches_are_what_a_convolution_sees():
    layer = nn.Conv2d(3, 4, (3, 2), (2, 1), (1, 2), (1, 2))
    x = torch.randn(2, 3, 9, 8)
    y = layer(x)
    where = places(y.shape, 5, 0)
    found = patches(layer, x, where) @ layer.weight.flatten(1).T + layer.bias
    expected = y[where[:, 0], :, where[:, 1], where[:, 2]]
    torch.testing.assert_close(found, expected)


def test_a_fit_undoes_what_layers_before_have_spoiled():
    """Asymmetric: from spoiled inputs, the original's outputs are met better than without a fit."""
    torch.manual_seed(0)
    layer, x = nn.Conv2d(8, 8, 3, padding=1), torch.randn(40, 8, 6, 6)
    spoiled, wanted = 0.7 * x + 0.1, layer(x).detach()
    parts = KINDS["channel"].split(layer, 8)

    def error() -> float:
        return float((parts(spoiled) - wanted).detach().square().mean())

    before = error()
    project(layer, parts, 8, [spoiled], [wanted])
    fit_last(parts, [spoiled], [wanted])
    assert error() < 0.1 * before
    linear = nn.Linear(8, 8)
    parts = LINEAR_KINDS["low-rank"].split(linear, 8)
    lost = fit_last(parts, [x[:, :, 0, 0]], [linear(x[:, :, 0, 0]).detach()])
    assert lost < 1e-4


def test_steps_save_most_for_least_damage():
    def layer(ms, damage=0.0, kind=True):
        return Candidate(KINDS["tucker"] if kind else None, 1, Cost(ms, int(ms), 0), 0.0, damage)

    originals = {"a": layer(10, kind=False), "b": layer(10, kind=False)}
    candidates = {"a": [layer(5, 1.0), layer(2, 8.0)], "b": [layer(6, 0.1), layer(5, 5.0)]}
    path = steps(originals, candidates, lambda old, new: old.cost.ms - new.cost.ms)
    assert [step.saved for step in path] == [0, 4, 9, 12, 13]
    assert [round(step.damage, 3) for step in path] == [0, 0.1, 1.1, 8.1, 13.0]


def test_batch_norms_are_measured_anew():
    norm = nn.Sequential(nn.BatchNorm2d(3))
    x = 5 + 2 * torch.randn(64, 3, 8, 8)
    assert measure_norms(norm, [x[:32], x[32:]]) == 1
    torch.testing.assert_close(norm[0].running_mean, torch.full((3,), 5.0), rtol=0, atol=0.2)
    torch.testing.assert_close(norm[0].running_var, torch.full((3,), 4.0), rtol=0, atol=0.3)
    assert not norm.training


def residual_file():
    rng = np.random.default_rng(0)
    weights = {
        f"w{k}": rng.standard_normal((16, 16 if k else 3, 3, 3)).astype(np.float32) / 8
        for k in range(3)
    } | {"v": rng.standard_normal((4, 16)).astype(np.float32)}
    nodes = [
        N("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1], name="first"),
        N("Relu", ["a"], ["b"]),
        N("Conv", ["b", "w1"], ["c"], pads=[0, 1, 2, 1], name="second"),
        N("Add", ["c", "b"], ["d"]),
        N("Relu", ["d"], ["e"]),
        N("Conv", ["e", "w2"], ["f"], pads=[1, 1, 1, 1], strides=[2, 2], name="third"),
        N("GlobalAveragePool", ["f"], ["g"]),
        N("Flatten", ["g"], ["h"]),
        N("Gemm", ["h", "v"], ["y"], transB=1, name="classes"),
    ]
    return net(nodes, weights, x=("n", 3, 10, 10))


def test_a_graph_with_rewritten_layers_runs_in_the_engine_and_elsewhere():
    """Residual sums, activations and one-sided padding stay with the chain that a layer becomes."""
    import onnxruntime

    from darter.net import Program
    from darter.net.passes import improve

    x = np.random.default_rng(1).standard_normal((2, 3, 10, 10)).astype(np.float32)
    module = GraphModule(improve(graph_of(residual_file(), x)))
    truth = module(torch.from_numpy(x)).detach().numpy()
    for name, layer in [*module.layers.items()]:
        kind = LINEAR_KINDS["low-rank"] if isinstance(layer, nn.Linear) else KINDS["tucker"]
        module.layers[name] = kind.split(layer, kind.full(layer))
    graph = module.graph()
    assert len([n for n in graph.nodes if n.op == "Conv"]) == 9
    np.testing.assert_allclose(Program(graph, 2).run(x), truth, rtol=1e-4, atol=1e-5)
    content = to_model(graph, outputs=("logits",)).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], truth, rtol=1e-4, atol=1e-5)


def test_channels_are_dropped_in_the_groups_that_a_library_finds():
    pytest.importorskip("torch_pruning")
    from darter.net import Program
    from darter.net.passes import improve

    x = np.random.default_rng(1).standard_normal((2, 3, 10, 10)).astype(np.float32)
    module = GraphModule(improve(graph_of(residual_file(), x)))
    before = sum(p.numel() for p in module.parameters())
    smaller = prune(module, torch.from_numpy(x), 0.5)
    assert sum(p.numel() for p in smaller.parameters()) < 0.6 * before
    found = smaller(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(Program(smaller.graph(), 2).run(x), found, rtol=1e-4, atol=1e-5)


def test_a_net_without_channels_to_drop_is_refused():
    pytest.importorskip("torch_pruning")
    with pytest.raises(UnsupportedError, match="dropped"):
        prune(nn.Sequential(nn.Flatten(), nn.Linear(27, 3)), torch.zeros(2, 3, 3, 3), 0.5)


def test_times_are_of_a_machine_that_is_as_busy_as_at_first():
    class Busy(Stopwatch):
        """Each measurement on a machine that is twice as busy as at the one before."""

        slow = 0.5

        def in_turns(self, *graphs, **how):
            self.slow *= 2
            return [self.slow * sum(w.size for w in graph.weights.values()) for graph in graphs]

    watch = Busy()
    large, small = (Graph((), {}, (), {"w": np.zeros((n, 4), np.float32)}) for n in (8, 2))
    beside = watch.beside(large)
    assert [beside(large), beside(small), beside(large)] == [32, 8, 32]
    assert watch.ms(large) == pytest.approx(4 * watch.ms(small))


def test_layers_are_left_alone_where_no_time_is_left_to_look_at_them():
    found = rewrite(low_rank_net(), Wish(speedup=2.0), until=0.0)
    assert not found.met
    assert {row.why for row in found.layers} == {"no time was left to look at it"}
