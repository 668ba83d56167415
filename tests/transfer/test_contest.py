from types import SimpleNamespace

import numpy as np
import pytest

from darter.errors import DataError
from darter.transfer import BackboneChoice, Features, choose_backbone, contest

N = 400
LABELS = np.arange(N) % 2


@pytest.fixture
def nets(monkeypatch):
    """Nets by name: how far apart their features hold the classes, and what a picture costs."""
    made, looked = {}, []

    def install(**each):
        made.update(each)
        return list(made)

    def load(name):
        if made[name] is None:
            raise DataError(f"the weights of {name} are damaged")

        def preprocess(size, crop, value_range):
            return SimpleNamespace(side=size)

        return SimpleNamespace(name=name, size=224, fixed_size=name == "rigid",
                               preprocess=preprocess)  # fmt: skip

    def features(backbone, sources, preprocess, **options):
        looked.append((backbone.name, len(sources), preprocess.side))
        rng = np.random.default_rng(sum(backbone.name.encode()))
        rows = rng.normal(size=(N, 3)) + made[backbone.name][0] * LABELS[:, None]
        return Features(rows[list(sources)].astype(np.float32), {})

    monkeypatch.setattr(contest, "features", features)
    monkeypatch.setattr(contest, "_milliseconds", lambda net, *_: made[net.name][1])

    def choose(names, **options):
        return choose_backbone(
            names, range(N), LABELS, np.arange(N), classes=2, load=load, **options
        )

    return SimpleNamespace(install=install, choose=choose, looked=looked)


def test_a_net_that_gains_more_than_its_error_is_kept(nets):
    choice = nets.choose(nets.install(plain=(0.7, 5.0), strong=(3.0, 12.0)))
    assert choice.name == "strong" and choice.size == 224
    assert "over plain, at 2.4 times its cost per picture" in choice.why
    plain, strong = choice.rivals
    assert strong.interval[0] > 0 and strong.pictures == N and strong.status == "kept"
    assert plain.gain is None and plain.status == "finished"
    assert BackboneChoice.from_json(choice.to_json()) == choice


def test_larger_nets_that_do_not_pay_are_said_not_to(nets):
    choice = nets.choose(nets.install(plain=(2.0, 5.0), same=(2.0, 12.0)))
    assert choice.name == "plain"
    assert "no other net pays here: the largest gain is" in choice.why and "same" in choice.why
    assert choice.rivals[1].why.endswith("no more than its error")


def test_of_equal_nets_the_cheapest_is_kept(nets):
    choice = nets.choose(nets.install(plain=(0.3, 5.0), dear=(3.1, 50.0), cheap=(3.0, 6.0)))
    assert choice.name == "cheap"


def test_half_of_the_others_drop_out_after_each_round(nets):
    names = nets.install(plain=(0.5, 5.0), a=(1.0, 5.0), b=(0.1, 5.0), c=(2.0, 5.0), d=(0.2, 5.0))
    choice = nets.choose(names)
    rounds = {count: [name for name, n, _ in nets.looked if n == count] for count in (200, 400)}
    assert rounds == {200: ["plain", "a", "b", "c", "d"], 400: ["plain", "a", "c"]}
    assert choice.name == "c"
    fallen = {rival.name: rival for rival in choice.rivals}["b"]
    assert fallen.status == "eliminated" and "against" in fallen.why and fallen.pictures == 200


def test_what_cannot_be_loaded_or_afforded_is_not_tried(nets):
    names = nets.install(plain=(1.0, 5.0), broken=None, huge=(3.0, 500.0), rigid=(1.0, 5.0))
    choice = nets.choose(names, size=96, later=100.0)
    why = {rival.name: (rival.status, rival.why) for rival in choice.rivals}
    assert why["broken"] == ("not tried", "the weights of broken are damaged")
    assert why["huge"][0] == "not tried" and "would take 400 s of 100 s" in why["huge"][1]
    assert {(name, side) for name, _, side in nets.looked} == {("plain", 96), ("rigid", 224)}
    with pytest.raises(DataError, match="broken"):
        nets.choose(["broken", "plain"])


def test_the_time_ends_it(nets, monkeypatch):
    clock = iter(range(0, 5000, 10))  # every look at it is ten seconds later
    monkeypatch.setattr(contest.time, "monotonic", lambda: next(clock))
    choice = nets.choose(nets.install(plain=(0.5, 5.0), strong=(3.0, 5.0)), seconds=60.0)
    assert {count for _, count, _ in nets.looked} == {200}
    assert choice.name == "strong"
    choice = nets.choose(["plain", "strong"], seconds=45.0)
    assert "no time was left" in choice.rivals[1].why and choice.name == "plain"
    assert choice.why.startswith("no other net was measured (strong: no time")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((-0.02, 0.05), ["no other net pays here: the largest gain is +1.4 points"]),
        ((0.01, 0.05), ["the largest gain is +1.4 points", "but no time was left"]),
    ],
)
def test_a_net_that_was_left_on_the_way_has_been_measured(interval, words):
    plain = contest.Rival("plain", 160, status="kept")
    left = contest.Rival("left", 160, pictures=800, gain=0.014, interval=interval,
                         status="eliminated", why="no time was left")  # fmt: skip
    found = contest._sentence(plain, [plain, left])
    assert all(part in found for part in words) and ("pays" in found) == (interval[0] < 0)
