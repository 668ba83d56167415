"""Compiled training steps against PyTorch's in float64."""

import copy

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from darter import kernels
from darter.errors import OptionError, ShapeError
from darter.train.compiled import compiled
from darter.train.compiled.arena import Lifetime, pack
from tests.train.whole_nets import randomize

ISAS = kernels.available_isas()


class Residual(nn.Module):
    """A block of ResNets, its shortcut normalized too."""

    def __init__(self, c, k, stride, act=nn.SiLU):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k), act(),
            nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k),
        )  # fmt: skip
        self.short = nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))

    def forward(self, x):
        return torch.nn.functional.hardtanh(self.body(x) + self.short(x), -2.0, 3.0)


class Excite(nn.Module):
    """Depthwise, then squeeze and excite."""

    def __init__(self, c):
        super().__init__()
        self.depthwise = nn.Conv2d(c, c, 5, 2, 2, groups=c, bias=False)
        self.norm = nn.BatchNorm2d(c)
        self.down, self.up = nn.Conv2d(c, 5, 1), nn.Conv2d(5, c, 1)

    def forward(self, x):
        x = torch.nn.functional.hardswish(self.norm(self.depthwise(x)))
        gate = self.up(torch.nn.functional.silu(self.down(x.mean((2, 3), keepdim=True))))
        return x * gate.sigmoid()


class Branches(nn.Module):
    """Joined maps whose channels are no whole blocks, and both pools."""

    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, 7, 1), nn.Conv2d(c, 20, 3, padding=1)
        self.norm = nn.BatchNorm2d(27 + 2 * c)

    def forward(self, x):
        pooled = nn.functional.avg_pool2d(x, 3, 1, 1), nn.functional.max_pool2d(x, 3, 1, 1)
        return self.norm(torch.cat([self.a(x), self.b(x), *pooled], 1))


class Pieces(nn.Module):
    """What the core does not have stands between maps: a group's normalization, a scale's sign."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 32, 3, 2, 1), nn.GroupNorm(4, 32)
        self.second, self.scales = nn.Conv2d(32, 16, 3, 2, 1), nn.Parameter(torch.tensor([0.7]))
        self.last = nn.Linear(16, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = self.second(x) * self.scales[0].abs()
        return self.last(x.mean((2, 3)))


def nets():
    """One per way of building them; each with an odd number of channels somewhere."""
    stem = nn.Conv2d(3, 20, 3, 2, 1, bias=False), nn.BatchNorm2d(20)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return {
        "residual": nn.Sequential(*stem, nn.ReLU6(), nn.MaxPool2d(3, 2, 1), Residual(20, 36, 2),
                                  *head, nn.Linear(36, 5)),
        "excite": nn.Sequential(*stem, nn.SiLU(), Excite(20), nn.Conv2d(20, 12, 1), *head,
                                nn.Linear(12, 5)),
        "branches": nn.Sequential(*stem, nn.GELU(), Branches(20), nn.LeakyReLU(0.1),
                                  nn.AvgPool2d(2), *head, nn.Linear(67, 5)),
        "plain": nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
                               nn.MaxPool2d(2, ceil_mode=True),
                               nn.Conv2d(16, 24, 3, 1, 1, 1, 2), nn.Tanh(), nn.Flatten(),
                               nn.Linear(24 * 13 * 12, 32), nn.Sigmoid(), nn.Linear(32, 5)),
    }  # fmt: skip


def difference(a, b, least=1e-9):
    """Relative; `least`: of the size of b, which may be 0."""
    return ((a.double() - b.double()).norm() / (b.double().norm() + least)).item()


def step(net, x, dy):
    y = net(x)
    y.backward(dy)
    return y.detach()


def poison(net):
    """What one step leaves must not be what the next needs."""
    for segment in net.segments:
        for planned in segment.plans.values():
            planned.arena.fill_(float("nan"))


def agree(module, x, dy, limit=1e-4, precision="float32"):
    truth = copy.deepcopy(module).double()
    net = compiled(module, x, precision=precision)
    poison(net)
    wanted = step(truth, x.double(), dy.double())
    assert difference(step(net, x, dy), wanted) < limit
    # A convolution before a normalization may have a gradient that nearly cancels.
    least = 0.1 * max(p.grad.norm().item() for p in truth.parameters() if p.grad is not None)
    pairs = zip(module.named_parameters(), truth.parameters(), strict=True)
    for (name, ours), theirs in pairs:
        if not ours.requires_grad:
            assert ours.grad is None, name
        else:
            assert difference(ours.grad, theirs.grad, least) < limit, name
    for (name, ours), theirs in zip(module.named_buffers(), truth.buffers(), strict=True):
        assert difference(ours, theirs) < limit, name
    return net


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", nets())
def test_gradients_are_pytorchs_in_float64(isa, name):
    torch.manual_seed(0)
    with kernels.using_isa(isa):
        net = agree(randomize(nets()[name]).train(), torch.randn(5, 3, 26, 23), torch.randn(5, 5))
    assert net.refusals == []


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("images", [2, 9, 50, 70])
def test_fully_connected_layers_of_few_and_of_many_images(isa, images):
    """Columns that fill no vector, several strips of weights, several chunks of a sum."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(765, 850), nn.Linear(850, 130), nn.Linear(130, 5, bias=False)
    )
    results = []
    for threads in (1, 3):
        module.zero_grad()
        with kernels.using_isa(isa), kernels.using_threads(threads):
            torch.manual_seed(1)
            net = agree(module.train(), torch.randn(images, 3, 17, 15), torch.randn(images, 5))
        assert net.refusals == []
        results.append([p.grad.clone() for p in module.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_large_1x1_convolutions_of_single_pixels():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 420, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(420, 410, 1), nn.Tanh(),
        nn.Conv2d(410, 5, 1), nn.Flatten(),
    )  # fmt: skip
    agree(module.train(), torch.randn(3, 3, 9, 8), torch.randn(3, 5))


class Smooth(nn.Module):
    """No corners, which roundings to 16 bits would cross."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 3, 1, 1, bias=False), nn.BatchNorm2d(24))
        self.same = nn.Sequential(nn.Conv2d(24, 24, 3, 1, 1, bias=False), nn.BatchNorm2d(24))
        self.down = nn.Sequential(nn.Conv2d(24, 40, 3, 2, 1, bias=False), nn.BatchNorm2d(40))
        self.deep = nn.Conv2d(40, 40, 3, padding=1, groups=40)
        self.point, self.norm = nn.Conv2d(80, 17, 1, bias=False), nn.BatchNorm2d(17)
        self.last = nn.Linear(17, 5)

    def forward(self, x):
        x = nn.functional.silu(self.stem(x))
        x = nn.functional.silu(self.down(x + self.same(x)))
        x = torch.cat([x, nn.functional.gelu(self.deep(x))], 1)
        return self.last(self.norm(self.point(x)).tanh().mean((2, 3)))


@pytest.mark.parametrize("isa", ISAS)
def test_16_bits_move_gradients_little_and_take_half_the_memory(isa):
    torch.manual_seed(0)
    x, dy = torch.randn(6, 3, 26, 23), torch.randn(6, 5)
    with kernels.using_isa(isa):
        net = agree(randomize(Smooth()).train(), x, dy, limit=3e-2, precision="bfloat16")
        wide = compiled(randomize(Smooth()).train(), x)
        floats = [n.segments[0].plan(6).scheduled.floats for n in (net, wide)]
    assert net.refusals == []
    assert floats[0] < 0.6 * floats[1]


@pytest.mark.parametrize("name", nets())
def test_16_bits_with_corners(name):
    """What rounds to the other side of a corner changes gradients as a whole: the limit is wide."""
    torch.manual_seed(0)
    x, dy = torch.randn(6, 3, 26, 23), torch.randn(6, 5)
    agree(randomize(nets()[name]).train(), x, dy, limit=0.15, precision="bfloat16")


@pytest.mark.parametrize("isa", ISAS)
def test_what_the_core_lacks_may_stand_between_maps(isa):
    torch.manual_seed(0)
    with kernels.using_isa(isa):
        net = agree(randomize(Pieces()).train(), torch.randn(5, 3, 26, 23), torch.randn(5, 5))
    assert {"group_norm", "select"} <= {name for name, _ in net.refusals}


def test_channels_last_modules_and_changed_parameters():
    torch.manual_seed(0)
    module = randomize(nets()["residual"]).train().to(memory_format=torch.channels_last)
    x, dy = torch.randn(5, 3, 26, 23), torch.randn(5, 5)
    net = agree(module, x.to(memory_format=torch.channels_last), dy)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0.1 * parameter.grad
    module.zero_grad()
    truth = copy.deepcopy(module).double()
    assert difference(step(net, x, dy), step(truth, x.double(), dy.double())) < 1e-4
    assert difference(module[4].body[0].weight.grad, truth[4].body[0].weight.grad) < 1e-4


@given(data=st.data())
@settings(max_examples=12, deadline=None, phases=[Phase.generate])  # shrinking takes minutes
def test_random_blocks(data):
    small = st.integers(1, 3)
    c, k = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    kernel, stride = data.draw(small), data.draw(small)
    padding = data.draw(st.integers(0, kernel // 2))
    act = data.draw(st.sampled_from([nn.SiLU, nn.Hardswish, nn.Tanh, nn.ELU, nn.Identity]))
    pool = data.draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))(data.draw(st.integers(1, 3)))
    images, size = data.draw(st.integers(1, 11)), data.draw(st.integers(9, 14))
    torch.manual_seed(data.draw(st.integers(0, 3)))
    module = nn.Sequential(
        nn.Conv2d(3, c, 1), act(), nn.Conv2d(c, k, kernel, stride, padding),
        nn.BatchNorm2d(k), act(), pool, nn.Conv2d(k, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    isa, threads = data.draw(st.sampled_from(ISAS)), data.draw(st.integers(1, 3))
    with kernels.using_isa(isa), kernels.using_threads(threads):
        agree(randomize(module).train(), torch.randn(images, 3, size, size), torch.randn(images, 5))


def test_frozen_layers_have_no_gradients():
    module = randomize(nets()["residual"]).train()
    for layer in module[:4]:
        layer.requires_grad_(False)
        layer.eval()
    torch.manual_seed(0)
    net = agree(module, torch.randn(5, 3, 26, 23), torch.randn(5, 5))
    whole = compiled(randomize(nets()["residual"]).train(), torch.randn(5, 3, 26, 23))
    floats = [n.segments[0].plan(5).scheduled.floats for n in (net, whole)]
    assert floats[0] < 0.9 * floats[1], "frozen layers keep nothing"


def test_threads_change_no_bit_and_steps_repeat():
    torch.manual_seed(0)
    x, dy = torch.randn(9, 3, 26, 23), torch.randn(9, 5)
    results = []
    for threads in (1, 2, 3):
        torch.manual_seed(1)
        module = randomize(nets()["residual"])
        module.insert(6, nn.Dropout(0.3))
        module.train()
        with kernels.using_threads(threads):
            torch.manual_seed(7)
            step(compiled(module, x), x, dy)
        results.append([p.grad for p in module.parameters()])
    for others in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], others, strict=True))


def test_dropout_keeps_its_share_and_its_gradient():
    module = nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.Dropout(0.25), nn.Flatten(), nn.Linear(16 * 64, 64)
    )
    x = torch.randn(50, 3, 8, 8, requires_grad=False)
    with torch.no_grad():
        module[0].weight.zero_(), module[0].bias.fill_(1.0)
    module[3] = nn.Identity()
    net = compiled(module.train(), x)
    torch.manual_seed(3)
    y = net(x)
    kept = y != 0
    assert abs(kept.float().mean().item() - 0.75) < 0.01
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / 0.75))
    y.backward(torch.ones_like(y))
    torch.testing.assert_close(module[0].bias.grad.sum(), y.sum().detach(), rtol=1e-5, atol=0)
    torch.manual_seed(4)
    assert not torch.equal(net(x) != 0, kept)


class Strange(nn.Module):
    """Has something in the middle that the core does not know."""

    def __init__(self):
        super().__init__()
        self.before, self.after = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, 3)
        self.factor = nn.Parameter(torch.rand(1, 8, 1, 1) + 0.5)

    def forward(self, x):
        x = torch.nn.functional.silu(self.before(x))
        x = torch.cumsum(x * self.factor, 3)
        return torch.nn.functional.silu(self.after(x)).mean((2, 3))


def test_what_the_core_does_not_know_runs_in_pytorch():
    torch.manual_seed(0)
    net = agree(Strange().train(), torch.randn(4, 3, 12, 12), torch.randn(4, 6))
    assert [what.split("_")[0] for what, _ in net.refusals] == ["mul", "cumsum"]
    assert "parameter" in net.refusals[0][1] and "no cumsum" in net.refusals[1][1]
    assert len(net.segments) == 2


def test_other_numbers_of_pictures_and_modes():
    torch.manual_seed(0)
    module = randomize(nets()["excite"]).train()
    net = agree(module, torch.randn(5, 3, 26, 23), torch.randn(5, 5))
    module.zero_grad()
    truth = copy.deepcopy(module).double()
    x, dy = torch.randn(2, 3, 26, 23), torch.randn(2, 5)
    for part in (slice(0, 1), slice(1, 2)):  # gradients add up
        step(net, x[part], dy[part])
        step(truth, x[part].double(), dy[part].double())
    assert difference(module[0].weight.grad, truth[0].weight.grad) < 1e-4
    net.eval()
    torch.testing.assert_close(net(x), module(x))
    net.train()
    module[0].requires_grad_(False)
    module.zero_grad()
    step(net, x, dy)
    assert module[0].weight.grad is None and module[4].weight.grad is not None


def test_mistakes_are_sentences():
    module = nets()["plain"].train()
    with pytest.raises(ShapeError, match="float32 pictures"):
        compiled(module, torch.zeros(3, 26, 23))
    net = compiled(module, torch.zeros(2, 3, 26, 23))
    with pytest.raises(ShapeError, match="compile it for others"):
        net(torch.zeros(2, 3, 26, 26))
    first = net(torch.zeros(2, 3, 26, 23))
    net(torch.zeros(2, 3, 26, 23))
    with pytest.raises(OptionError, match="backward before the next forward"):
        first.sum().backward()


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9), st.integers(0, 4)), max_size=30))
def test_arrays_alive_together_lie_apart(drawn):
    arrays = [Lifetime(floats, first, first + more) for floats, first, more in drawn]
    offsets, size = pack(arrays)
    for i, a in enumerate(arrays):
        assert offsets[i] % 16 == 0 and offsets[i] + a.floats <= size
        for j, b in enumerate(arrays[:i]):
            together = a.first <= b.last and b.first <= a.last
            if together:
                apart = offsets[i] + a.floats <= offsets[j] or offsets[j] + b.floats <= offsets[i]
                assert apart or not a.floats or not b.floats
