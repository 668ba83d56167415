"""Which algorithm to use for a shape, and why."""

from dataclasses import dataclass
from numbers import Real

from darter.conv.algorithms import ALGORITHMS, Algorithm
from darter.conv.remembered import recall
from darter.conv.spec import ConvSpec, expect_spec
from darter.errors import OptionError, UnsupportedError
from darter.kernels import threads

MAX_ERROR = 1e-5  # default error budget, against the root mean square of the outputs


@dataclass(frozen=True)
class Choice:
    """An algorithm's name, and a reason per algorithm that was looked at."""

    algorithm: str
    reasons: dict[str, str]

    def __str__(self) -> str:
        lines = [f"{self.algorithm}: {self.reasons[self.algorithm]}"]
        lines += [f"  {n}: {why}" for n, why in self.reasons.items() if n != self.algorithm]
        return "\n".join(lines)


def admitted(
    spec: ConvSpec, *, max_error: float = MAX_ERROR, max_memory: int | None = None
) -> tuple[list[str], dict[str, str]]:
    """Names that shape, error budget and memory cap allow; and why the others are refused."""
    expect_spec(spec)
    _check_limits(max_error, max_memory)
    names, refused = [], {}
    for name, algorithm in ALGORITHMS.items():
        why = algorithm.refuses(spec)
        if why is None and algorithm.error(spec) > max_error:
            why = f"error {algorithm.error(spec):.1e} above {max_error:.1e}"
        if why is None and max_memory is not None:
            why = _too_large(algorithm, spec, max_memory)
        if why is None:
            names.append(name)
        else:
            refused[name] = f"refused: {why}"
    return names, refused


def choose(
    spec: ConvSpec, *, max_error: float = MAX_ERROR, max_memory: int | None = None
) -> Choice:
    """Choose by remembered timings (see `autotune`), else by estimated cycles; times nothing.

    spec: the shape.   max_error: largest expected error (root mean square, relative to the root
    mean square of the outputs for independent inputs).   max_memory: bytes of packed filters and
    workspace together, or None.
    Raises UnsupportedError, with every reason, if nothing is allowed.
    """
    names, reasons = admitted(spec, max_error=max_error, max_memory=max_memory)
    if not names:
        raise nothing_admitted(spec, reasons)
    timed = {name: ms for name, ms in recall(spec).items() if name in names}
    cycles = {name: ALGORITHMS[name].estimate(spec, threads()) for name in names}
    for name in names:
        cost = f"{timed[name]:.3f} ms" if name in timed else f"{cycles[name] / 1e6:.2f} Mcycles"
        reasons[name] = f"{ALGORITHMS[name].explain(spec)}; {cost}"
        reasons[name] += " timed" if name in timed else " estimated"
    cost_of = _on_one_scale(timed, cycles)
    return Choice(min(cost_of, key=cost_of.__getitem__), reasons)


def nothing_admitted(spec: ConvSpec, refused: dict[str, str]) -> UnsupportedError:
    """The error where budget and cap refuse everything: what would be possible, and the reasons."""
    fit = [(name, a) for name, a in ALGORITHMS.items() if a.refuses(spec) is None]
    exact, best = min(fit, key=lambda item: item[1].error(spec))
    small, least = min(fit, key=lambda item: sum(_bytes(item[1], spec)))
    reasons = "".join(f"\n  {name} {reason}" for name, reason in refused.items())
    return UnsupportedError(
        f"no algorithm may compute {spec}: raise max_error or max_memory. The least error is "
        f"{best.error(spec):.2e} ({exact}), the least memory {_size(sum(_bytes(least, spec)))} "
        f"({small}).{reasons}"
    )


def _on_one_scale(timed: dict[str, float], cycles: dict[str, float]) -> dict[str, float]:
    """Milliseconds where timed (perhaps within a smaller error budget), else about as many."""
    if not timed:
        return cycles
    fastest = min(timed, key=timed.__getitem__)
    per_cycle = timed[fastest] / cycles[fastest]
    return {name: timed.get(name, per_cycle * estimate) for name, estimate in cycles.items()}


def _check_limits(max_error: float, max_memory: int | None) -> None:
    if not isinstance(max_error, Real) or not max_error > 0:
        raise OptionError(f"max_error must be a number above 0, got {max_error!r}")
    if max_memory is not None and (not isinstance(max_memory, Real) or not max_memory >= 0):
        raise OptionError(f"max_memory must be a number of bytes, got {max_memory!r}")


def _too_large(algorithm: Algorithm, spec: ConvSpec, most: int) -> str | None:
    filters, workspace = _bytes(algorithm, spec)
    if filters + workspace <= most:
        return None
    return f"{_size(filters)} of filters and {_size(workspace)} of workspace above {_size(most)}"


def _bytes(algorithm: Algorithm, spec: ConvSpec) -> tuple[int, int]:
    """Of filters, of workspace."""
    return algorithm.weight_bytes(spec), algorithm.workspace_bytes(spec, threads())


def _size(count: float) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.3g} kB"


def check(spec: ConvSpec, name: str) -> None:
    """Raise OptionError for an unknown name, UnsupportedError if the algorithm refuses."""
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise OptionError(f"unknown algorithm {name!r}; choose from auto, {', '.join(ALGORITHMS)}")
    why = ALGORITHMS[name].refuses(spec)
    if why is not None:
        raise UnsupportedError(f"{name} cannot compute {spec}: it {why}")
