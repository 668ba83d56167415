"""What a training run's own record says about its pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

MUCH = 0.1  # share of the time from which it is worth asking why


def waiting_sentence(history: Sequence[Mapping[str, Any]]) -> str:
    """Which share of the time the model waited for pictures; history: as in metrics.jsonl."""
    seconds = history[-1]["seconds"] if history else 0.0
    if seconds <= 0:
        return ""
    share = sum(epoch["waited_seconds"] for epoch in history) / seconds
    text = f"waited for pictures {share:.1%} of the time"
    return f"{text} (`darter doctor` says why)" if share >= MUCH else text
