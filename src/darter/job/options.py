"""What a user asks of the main job."""

from dataclasses import asdict, dataclass, field
from typing import Any

from darter.train.recipe import Recipe


@dataclass(frozen=True)
class JobOptions:
    """data: folder or CSV.   test: the test split, if named.   seconds: for all of it, about.

    Saved with the run, so that a resumed run needs no options of its own.
    """

    data: str
    test: str | None = None
    seconds: float = 600.0
    recipe: Recipe = field(default_factory=Recipe)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> "JobOptions":
        recipe = Recipe.from_dict(entries["recipe"])
        return cls(entries["data"], entries["test"], entries["seconds"], recipe)
