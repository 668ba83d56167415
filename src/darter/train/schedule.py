"""The learning rate over the steps of a run, as a factor on each group's peak rate."""

import math


def rate_factor(step: int, steps: int, *, warmup: float, schedule: str) -> float:
    """Factor in (0, 1] for the 0-based `step` of `steps`.

    It rises evenly over the first `warmup` share of the steps and then stays at 1 ("constant") or
    falls along half a cosine ("cosine") that would reach 0 one step after the last.
    Source: Loshchilov & Hutter, arXiv:1608.03983.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
