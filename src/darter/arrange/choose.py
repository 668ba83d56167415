"""Kinds and ranks for the whole net at once: the most time saved for the least damage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from darter.arrange.candidates import Candidate

Choice = Mapping[str, Candidate]  # name of a layer -> what it becomes


@dataclass(frozen=True)
class Step:
    """One step further: what every layer is by now, the estimated saving and damage."""

    choice: Choice
    saved: float
    damage: float


def steps(
    originals: Mapping[str, Candidate],
    candidates: Mapping[str, Sequence[Candidate]],
    gain: Callable[[Candidate, Candidate], float],
) -> list[Step]:
    """From the net as it is to the fastest, each step the best next: most gain for its damage.

    gain(original, candidate): what is to be saved, milliseconds or weights. Along the convex hull
    of each layer's candidates this is the best choice for every saving that is reached (the
    relaxed multiple-choice knapsack; Sinha & Zoltners, Operations Research 27, 1979).
    """
    hulls = {name: hull(originals[name], found, gain) for name, found in candidates.items()}
    at = dict.fromkeys(hulls, 0)
    choice: dict[str, Candidate] = dict(originals)
    found = [Step(dict(choice), 0.0, 0.0)]
    while True:
        ahead = [
            (_rate(originals[name], points[at[name]], points[at[name] + 1], gain), name)
            for name, points in hulls.items()
            if at[name] + 1 < len(points)
        ]
        if not ahead:
            return found
        _, name = min(ahead)
        at[name] += 1
        choice[name] = hulls[name][at[name]]
        saved = sum(gain(originals[n], c) for n, c in choice.items())
        found.append(Step(dict(choice), saved, sum(c.damage for c in choice.values())))


def hull(
    original: Candidate,
    candidates: Sequence[Candidate],
    gain: Callable[[Candidate, Candidate], float],
) -> list[Candidate]:
    """The original, then candidates of rising gain, each at a higher price than the one before."""
    points = [original]
    for candidate in sorted(candidates, key=lambda c: (gain(original, c), -c.damage)):
        if gain(original, candidate) <= 0:
            continue
        while points and (
            (len(points) > 1 and points[-1].damage >= candidate.damage)
            or (
                len(points) > 1
                and _rate(original, points[-2], points[-1], gain)
                >= _rate(original, points[-1], candidate, gain)
            )
        ):
            points.pop()
        points.append(candidate)
    return points


def _rate(
    original: Candidate,
    a: Candidate,
    b: Candidate,
    gain: Callable[[Candidate, Candidate], float],
) -> float:
    """Damage for one more unit of gain."""
    more = gain(original, b) - gain(original, a)
    return (b.damage - a.damage) / more if more > 0 else float("inf")
