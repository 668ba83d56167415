"""What several processes are expected to reach, and what "auto" makes of it."""

from dataclasses import replace

import pytest

from darter.distributed import Team
from darter.distributed.forecast import Measured, alone, choose, downpour, local, pipeline, sync
from tests.distributed.processes import Processes
from tests.train.tiny import QUICK, tiny_model, tiny_problem, train

FAST = Measured(step=0.4, pictures=16, size=16 << 20, latency=1e-4, bandwidth=1.25e8, spread=0.0)
SLOW = Measured(step=0.4, pictures=16, size=16 << 20, latency=1e-2, bandwidth=1.25e7, spread=0.0)


def test_without_a_price_of_links_n_processes_are_n_times_as_fast():
    free = Measured(step=0.4, pictures=16, size=1, latency=0, bandwidth=1e12, spread=0.0)
    for scheme in (sync, local, downpour):
        assert scheme(free, 4) == pytest.approx(4 * alone(free, 1), rel=1e-6)
    assert pipeline(free, 4) == pytest.approx(4 / (1 + 3 / 8) * alone(free, 1))


def test_small_parts_and_what_passes_cost_a_pipeline():
    bare = Measured(step=0.4, pictures=16, size=1, latency=0, bandwidth=1e6, spread=0.0)
    assert pipeline(bare, 2) == pytest.approx(16 / (5 * 0.05))  # 4 parts and the way of the last
    dear = replace(bare, part=0.2)  # twice their share of a step
    assert pipeline(dear, 2) == pytest.approx(16 / (5 * 0.1))
    wide = replace(dear, activations=400_000)  # 0.1 s forward and as much back, for each part
    assert pipeline(wide, 2) == pytest.approx(16 / (5 * 0.3))


def test_a_slow_link_costs_sync_more_than_local_rounds():
    assert sync(FAST, 4) > 1.3 * alone(FAST, 1)
    assert sync(SLOW, 4) < alone(SLOW, 1)
    assert local(SLOW, 4) > 3 * alone(SLOW, 1)


def test_auto_takes_what_is_expected_to_be_fastest_and_says_why():
    assert choose(SLOW, 4)[0] == "local"
    name, why = choose(Measured(0.01, 16, 400 << 20, 0.1, 1e5), 2)
    assert name == "alone"
    assert why.startswith("one process: 1600 pictures/s; 2 would reach ")
    name, why = choose(FAST, 2, seconds=8, start=10)
    assert name == "alone"
    assert why == "one process: it needs 8 s, less than starting 2 would save"


@pytest.mark.filterwarnings("ignore:one process")
def test_a_small_training_stays_in_one_process():
    problem = tiny_problem()
    alone_too = train(tiny_model(), problem, QUICK, seconds=600)
    team = Team(Processes(1), "auto")
    fitted = train(tiny_model(), problem, QUICK, world=team, seconds=600)
    assert fitted.history[-1]["val_loss"] == alone_too.history[-1]["val_loss"]
    assert team.record["why"].startswith("one process")
    assert set(team.crew.ended.values()) == {0}
