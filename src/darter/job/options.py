"""What a user asks of the main job."""

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from darter.distributed import Machines
from darter.errors import OptionError
from darter.job.wishes import Target, parse_target
from darter.train import Recipe

NO_STRANGERS = "none"


@dataclass(frozen=True)
class JobOptions:
    """data: folder or CSV.   test: the test split, if named.   seconds: for all of it, about.

    machines: who trains along.   unknown: folder of pictures of anything else, to be refused;
    "none": a folder `unknown` beside the classes is a class as well.
    int8: the file is to be of 8 bits.   max_drop: points of accuracy that this may cost.
    speed, file_size: what the model is to meet, as text such as "60%", "5ms" and "1MB".

    Saved with the run, so that a resumed run needs no options of its own.
    """

    data: str
    test: str | None = None
    seconds: float = 600.0
    recipe: Recipe = field(default_factory=Recipe)
    machines: Machines = field(default_factory=Machines)
    unknown: str | None = None
    speed: str | None = None
    file_size: str | None = None
    int8: bool = False
    max_drop: float | None = None

    @property
    def wish(self) -> Target | None:
        """OptionError where speed or file_size say nothing that could be wished."""
        return parse_target(self.speed, self.file_size)

    def absolute(self) -> "JobOptions":
        """The same with paths that mean the same in every working folder."""
        test = self.test
        if test is not None and not (Path(self.data) / test).exists():
            test = str(Path(test).resolve())
        weights = self.recipe.weights and str(Path(self.recipe.weights).resolve())
        recipe = self.recipe.replace(weights=weights)
        unknown = self.unknown
        if unknown not in (None, NO_STRANGERS):
            unknown = str(Path(unknown).resolve())
        data = str(Path(self.data).resolve())
        return replace(self, data=data, test=test, recipe=recipe, unknown=unknown)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> "JobOptions":
        recipe = Recipe.from_dict(entries["recipe"])
        machines = Machines(**entries.get("machines", {}))
        return cls(
            entries["data"],
            entries["test"],
            entries["seconds"],
            recipe,
            machines,
            entries.get("unknown"),
            entries.get("speed"),
            entries.get("file_size"),
            entries.get("int8", False),
            entries.get("max_drop"),
        )


def parse_seconds(text: str | float, name: str = "--time") -> float:
    """Seconds of "90s", "10m", "1h30m", "600" or a number. OptionError for anything else, and
    below 30 s."""
    match = re.fullmatch(
        r"(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)(?:\.\d+)?s?)?", str(text).strip().lower()
    )
    if not match or not any(match.groups()):
        raise OptionError(f"{name} {text!r}: expected a time such as 90s, 10m or 1h30m.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if total < 30:
        raise OptionError(f"{name} {text!r}: at least 30s are needed.")
    return float(total)
