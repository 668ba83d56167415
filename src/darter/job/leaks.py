"""What pictures that stand in two of the user's own parts mean for the result."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darter.job.material import Material


@dataclass(frozen=True)
class Leaks:
    """copies: pictures left out of training or validation, as a later part has a copy of them.
    alike: of the n judged pictures, those that are nearly the same as one that was learned from.
    without: mean over the other judged pictures of how right the model is; None if there are none.
    measure: what that mean is called.
    """

    copies: int
    alike: int
    n: int
    part: str
    without: float | None
    measure: str = "accuracy"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def caution(self) -> str | None:
        """Why the result is less than it looks; None where nothing leaks."""
        if not self.alike:
            return None
        rest = ""
        if self.without is not None:
            what = "it" if self.measure == "accuracy" else f"the {self.measure}"
            rest = f", and on the other {self.n - self.alike} {what} is {self.without:.1%}"
        return (
            f"{self.alike} of the {self.n} {self.part} pictures are nearly the same as pictures "
            f"that were learned from, so the figure flatters{rest}"
        )

    def note(self) -> str | None:
        """What was done about copies."""
        if not self.copies:
            return None
        were = "picture was left out, as a copy of it is" if self.copies == 1 else (
            "pictures were left out, as copies of them are")  # fmt: skip
        return f"{self.copies} {were} in a later part of your own split."


def leaks_of(material: Material, right: NDArray) -> Leaks:
    """right: of each judged picture, how right the model is, from 0 to 1."""
    part, indices = material.judged
    alike = np.isin(indices, list(material.audit.alike))
    without = float(np.asarray(right, np.float64)[~alike].mean()) if not alike.all() else None
    copies, measure = material.audit.copies_left_out, material.task.measure
    return Leaks(copies, int(alike.sum()), len(indices), part, without, measure)
