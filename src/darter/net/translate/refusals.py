"""What a net asks for that darter has not, told by kinds and not node by node."""

from darter.errors import UnsupportedError
from darter.net.graph import Node

MOST_KINDS = 8  # of operations, and of other reasons, that an error names


class MissingError(UnsupportedError):
    """The operation is none that darter has, whatever its inputs are."""


class Refusals:
    """Grows while a net is translated."""

    def __init__(self) -> None:
        self._missing: dict[str, int] = {}
        self._others: dict[tuple[str, str], list[Node]] = {}

    def add(self, source: Node, error: UnsupportedError) -> None:
        if isinstance(error, MissingError):
            self._missing[source.op] = self._missing.get(source.op, 0) + 1
        else:
            self._others.setdefault((source.op, str(error)), []).append(source)

    def check(self) -> None:
        """Raise UnsupportedError if anything was refused."""
        parts = []
        if self._missing:
            parts.append(f"needs {_joined([*self._missing])}, which darter has not")
        for (_, reason), nodes in list(self._others.items())[:MOST_KINDS]:
            more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
            parts.append(f"{nodes[0]}{more}: {reason}")
        if len(self._others) > MOST_KINDS:
            parts.append(f"and {len(self._others) - MOST_KINDS} other reasons")
        if parts:
            raise UnsupportedError("; ".join(parts))


def _joined(names: list[str]) -> str:
    """ "A", "A and B", "A, B and C"; the first few of many."""
    if len(names) > MOST_KINDS:
        names = [*names[: MOST_KINDS - 1], f"{len(names) - MOST_KINDS + 1} other operations"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
