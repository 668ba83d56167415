"""What a user wishes of the finished model: `darter train --speed 60% --file-size 1MB`."""

import math
from dataclasses import dataclass

from darter.errors import OptionError

BYTES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "b": 1.0}
SECONDS = {"ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Target:
    """ms: of one picture, at most; or share: of what the model takes as it was trained.
    bytes: of the file, at most.   None where nothing is wished.
    """

    ms: float | None = None
    share: float | None = None
    bytes: float | None = None

    def most_ms(self, before: float) -> float:
        """What it may take, where the trained model takes `before`."""
        if self.ms is not None:
            return self.ms
        return math.inf if self.share is None else self.share * before

    @property
    def most_bytes(self) -> float:
        return math.inf if self.bytes is None else self.bytes

    @property
    def of_speed(self) -> bool:
        return self.ms is not None or self.share is not None

    def met(self, ms: float, before: float, size: float) -> bool:
        return ms <= self.most_ms(before) and size <= self.most_bytes

    def judged(self, ms: float, before: float, size: float) -> str:
        """`60% of the time: met, 47% (1.14 of 2.44 ms, the fastest of runs in turns)`."""
        how, said = "the fastest of runs in turns", []
        if self.share is not None:
            met = _met(ms <= self.share * before)
            said.append(
                f"{self.share:.0%} of the time: {met}, {100 * ms / before:.3g}% "
                f"({ms:.3g} of {before:.3g} ms, {how})"
            )
        if self.ms is not None:
            said.append(f"{self.ms:.3g} ms: {_met(ms <= self.ms)}, {ms:.3g} ms ({how})")
        if self.bytes is not None:
            met = _met(size <= self.bytes)
            said.append(f"a file of {self.bytes / 1e6:.3g} MB: {met}, {size / 1e6:.3g} MB")
        return "; ".join(said)

    def words(self, before: float) -> str:
        """`2.4 ms (60% of 4.0 ms), a file of 1 MB`."""
        said = []
        if self.of_speed:
            share = "" if self.share is None else f" ({self.share:.0%} of {before:.3g} ms)"
            said.append(f"{self.most_ms(before):.3g} ms{share}")
        if self.bytes is not None:
            said.append(f"a file of {self.bytes / 1e6:.3g} MB")
        return " and ".join(said)


def _met(met: bool) -> str:
    return "met" if met else "NOT met"


def parse_target(speed: str | None, file_size: str | None) -> Target | None:
    """None where nothing is wished. OptionError for what is no wish."""
    if speed is None and file_size is None:
        return None
    size = None if file_size is None else parse_bytes(file_size, "--file-size")
    if speed is None:
        return Target(bytes=size)
    if not speed.strip().endswith("%"):
        expected = "expected a time of one picture such as 2ms, or a share of it such as 60%"
        return Target(ms=_with_unit(speed, SECONDS, f"--speed {speed!r}: {expected}"), bytes=size)
    share = parse_percent(speed, "--speed")
    if not 0 < share < 1:
        raise OptionError(
            f"--speed {speed}: a share of the time that the model takes as it is trained must lie "
            "between 0% and 100%"
        )
    return Target(share=share, bytes=size)


def parse_percent(text: str, name: str) -> float:
    """0.01 of "1%". OptionError for anything else."""
    word = text.strip()
    value = _number(word[:-1]) if word.endswith("%") else None
    if value is None:
        raise OptionError(f"{name} {text!r}: expected a share such as 1%")
    return value / 100


def parse_ms(text: str, name: str) -> float:
    """Milliseconds of "2ms", "0.5 ms" or "1s". OptionError for anything else."""
    return _with_unit(text, SECONDS, f"{name} {text!r}: expected a time of one picture such as 2ms")


def parse_bytes(text: str, name: str) -> float:
    """Bytes of "1MB", "500 kB". OptionError for anything else."""
    return _with_unit(text, BYTES, f"{name} {text!r}: expected a size such as 1MB")


def _with_unit(text: str, units: dict[str, float], otherwise: str) -> float:
    word = text.strip().lower()
    for unit, factor in units.items():
        value = _number(word.removesuffix(unit)) if word.endswith(unit) else None
        if value is not None and value > 0:
            return factor * value
    raise OptionError(otherwise)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
