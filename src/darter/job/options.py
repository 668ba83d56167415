"""What a user asks of the main job."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from darter.train import Recipe


@dataclass(frozen=True)
class JobOptions:
    """data: folder or CSV.   test: the test split, if named.   seconds: for all of it, about.

    Saved with the run, so that a resumed run needs no options of its own.
    """

    data: str
    test: str | None = None
    seconds: float = 600.0
    recipe: Recipe = field(default_factory=Recipe)

    def absolute(self) -> "JobOptions":
        """The same with paths that mean the same in every working folder."""
        test = self.test
        if test is not None and not (Path(self.data) / test).exists():
            test = str(Path(test).resolve())
        weights = self.recipe.weights and str(Path(self.recipe.weights).resolve())
        recipe = self.recipe.replace(weights=weights)
        return replace(self, data=str(Path(self.data).resolve()), test=test, recipe=recipe)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> "JobOptions":
        recipe = Recipe.from_dict(entries["recipe"])
        return cls(entries["data"], entries["test"], entries["seconds"], recipe)
