"""The table of transfer learning, amount of data × similarity to the pretraining data, measured.

             similar                               different
little       linear classifier on the last layer   "in trouble": see `help_in_trouble`
plenty       retrain a few layers                   retrain more layers
"""

from darter.transfer.records import Cell

PLENTY = 250  # pictures per class
SIMILAR_SHARE = 0.9  # of the best accuracy above chance, reached by the frozen last layer
UNKNOWN = "unknown"
DIFFERENT_GAP = 0.03  # accuracy that all layers add to the last one

ADVICE = {
    ("little", "similar"): "a linear classifier on the last layer is the usual answer",
    ("little", "different"): "the hardest case",
    ("plenty", "similar"): "retraining a few layers is the usual answer",
    ("plenty", "different"): "retraining more layers is the usual answer",
}


def place(
    *,
    pictures_per_class: float,
    chance: float,
    last_layer: float,
    all_layers: float | None,
    best: float,
    best_name: str,
    best_surely: float,
    compared: int,
    more_data: str,
) -> Cell:
    """The cell of a data set, with reasons; its similarity is "unknown" where nothing tells it.

    chance: accuracy without looking.   last_layer, all_layers: of the linear probes.
    best: of the best candidate, by `best_name`; best_surely: the lower end of its interval.
    compared: strategies that were measured.   more_data: on what more pictures would bring.
    """
    amount = "plenty" if pictures_per_class >= PLENTY else "little"
    much = (
        f"{pictures_per_class:.0f} training pictures per class; from {PLENTY} on counts as plenty."
    )
    if unknown := _cannot_tell(chance, best, best_name, best_surely, compared):
        return Cell(amount, UNKNOWN, pictures_per_class, None, None, (much, unknown), more_data)
    above = max(best - chance, 1e-9)
    share = min(1.0, max(0.0, (last_layer - chance) / above))
    gap = 0.0 if all_layers is None else all_layers - last_layer
    similar = share >= SIMILAR_SHARE and gap <= DIFFERENT_GAP
    similarity = "similar" if similar else "different"
    reasons = [
        much,
        f"The frozen last layer reaches {last_layer:.1%}, that is {share:.0%} of the best measured "
        f"accuracy above chance ({best:.1%} by {best_name}); from {SIMILAR_SHARE:.0%} on counts "
        "as similar.",
    ]
    if all_layers is not None:
        tells = "inner layers know more" if gap > DIFFERENT_GAP else "inner layers add little"
        reasons.append(f"Features of all layers change that by {100 * gap:+.1f} points: {tells}.")
    advice = ADVICE[amount, similarity].capitalize() + "."
    if (amount, similarity) == ("little", "different"):
        advice = f"{advice} {help_in_trouble(more_data)}"
    return Cell(amount, similarity, pictures_per_class, share, gap, tuple(reasons), advice)


def _cannot_tell(
    chance: float, best: float, best_name: str, best_surely: float, compared: int
) -> str | None:
    """Why similarity cannot be told: it shows in what one strategy learns beside another."""
    if compared < 2:
        return (
            "Cannot tell whether the pictures are like those of the pretraining: only one strategy "
            f"was measured ({best_name}: {best:.1%}), and it shows by comparing several."
        )
    if best_surely <= chance:
        return (
            "Cannot tell whether the pictures are like those of the pretraining: nothing learned "
            f"to tell the classes apart. The best, {best_name}, reaches {best:.1%}, and naming the "
            f"commonest class without looking {chance:.1%}."
        )
    return None


def help_in_trouble(more_data: str) -> str:
    """What is left to do with few pictures that look unlike the pretraining data."""
    return (
        "What can help was tried beside the rest: features of all layers, retraining only the "
        "first blocks, and a small net from scratch; the race shows what each one reached. "
        f"{more_data} A backbone pretrained on pictures more like these would help most "
        "(--backbone, --weights)."
    )
