"""What the figures of an evaluation come to: terminal, report and card say the same."""

from darter.model.confidence import CalibrationError, ReliabilityBin
from darter.model.metrics import Majority

LIFTED = 0.1  # accuracy this far above balanced accuracy comes from the common classes
CLOSE = 0.05  # a calibration error surely below this is honest enough for use


def accuracy_caution(
    interval: tuple[float, float],
    majority: Majority | None,
    balanced: float | None,
    accuracy: float,
) -> str | None:
    """Why the accuracy is less than it looks, where it is; None where it may be taken as it is."""
    if majority is None or balanced is None:
        return None
    if majority.accuracy == 1:
        return (
            f"All of these pictures are {majority.label}: they cannot show whether the model tells "
            "the classes apart"
        )
    if interval[0] <= majority.accuracy:
        start = "Worse than no model" if accuracy < majority.accuracy else "No clear success"
        return (
            f"{start}: always naming the commonest class ({majority.label}) would be right for "
            f"{majority.accuracy:.1%}"
        )
    if accuracy - balanced >= LIFTED:
        return (
            f"The common classes lift this figure: with every class counted alike it is "
            f"{balanced:.1%} (balanced accuracy)"
        )
    return None


def confidence_words(
    error: CalibrationError | None, diagram: tuple[ReliabilityBin, ...], accuracy: float | None
) -> str | None:
    """Whether the confidence may be believed, as far as the test can tell."""
    if error is None or accuracy is None:
        return None
    n = sum(row.count for row in diagram)
    promised = sum(row.count * row.confidence for row in diagram) / n
    says = f"it says {promised:.1%} on average and is right for {accuracy:.1%}"
    if error.proven:
        gap = promised - accuracy
        if abs(gap) < error.value / 2:
            return f"{says}, but it is too sure in one range and too modest in another"
        return f"{says}: it is {'over' if gap > 0 else 'under'}confident"
    if error.interval[1] <= CLOSE:
        return f"{says}: its confidence can be believed, to about {error.interval[1]:.1%}"
    return (
        f"{says}; too few pictures to tell, as chance alone gives up to {error.by_chance:.1%} on "
        f"{n} pictures"
    )
