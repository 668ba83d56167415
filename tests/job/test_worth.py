"""What the stage that weighs several looks writes into the model's file."""

import numpy as np
import pytest

from darter.job.worth import ONE, _Way, _with_fitted
from darter.model import Calibration, ModelInfo, Over, averaging, mean_logits
from darter.picture import Preprocess

CLASSES = ("a", "b", "c")


def staged(limit):
    """Answers of one look, of five views, and of draws; averaged novelty is a fifth."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    logits = 6 * (np.eye(3)[targets] + rng.normal(0, 0.7, (5, 300, 3)))
    novelty = rng.uniform(0, 1, (5, 300, 1))
    ways = {
        ONE: _Way(logits[:1], novelty[:1], 1),
        "views:5x1": _Way(logits, novelty / 5, 5),
        "dropout:2": _Way(logits[:2], novelty[:2], 1, keepable=False),
    }
    card = {"draws": 2, "drawn": ["dropout"]}
    calibration = Calibration(unknown_above=limit)
    return ModelInfo(CLASSES, Preprocess(8, 8), calibration, card), ways, targets


@pytest.mark.parametrize("kept", [None, Over(("views:5x1",), (0.6, 0.1, 0.1, 0.1, 0.1))])
def test_averaged_answers_have_their_own_limit_of_novelty(kept):
    info, ways, targets = staged(0.9)
    found = _with_fitted(info, ways, targets, kept)
    assert found.calibration == info.calibration and (found.over is None) == (kept is None)
    share = (ways[ONE].novelty[0] <= 0.9).mean()
    for over in (("views:5x1",), ("dropout:2",)):
        asked = averaging(found, over)
        limit = asked.info.calibration.unknown_above
        mean = ways[",".join(over)].novelty.mean(axis=0)
        assert asked.fitted and (mean <= limit).mean() == share
    assert averaging(found, ("views:5x1",)).info.calibration.unknown_above < 0.2
    assert len(found.fitted) == (2 if kept is None else 1)


def test_temperatures_are_of_the_weighted_mean():
    info, ways, targets = staged(None)
    weights = (1.0, 0.0, 0.0, 0.0, 0.0)
    found = _with_fitted(info, ways, targets, Over(("views:5x1",), weights))
    single = _with_fitted(info, ways, targets, None)
    assert found.over.weights == weights and found.over.calibration.unknown_above is None
    assert found.over.calibration.temperature > single.fitted[0].calibration.temperature
    from darter.model import get_task

    own = get_task("classify").calibrate(
        mean_logits(get_task("classify"), ways["views:5x1"].logits, weights), targets
    )
    assert found.over.calibration == own
