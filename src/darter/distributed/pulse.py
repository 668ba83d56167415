"""Signs of life: every process counts in the store, and sees whether the others still do."""

import os
import sys
import threading
import time
from contextlib import suppress

import torch.distributed as dist

BEAT_SECONDS = 1.0
MOST_UNANSWERED = 40  # beats that a process makes without an answer before it ends itself
UNREACHED = 3  # its exit status then


class Pulse:
    """The beats of process `member`, and what was heard of others.

    member: 0 is the chief, who has the store; other numbers are workers, names parameter servers.

    A process whose store does not answer ends itself, and says so: a call to a machine that is out
    of reach cannot be interrupted, and the network's own limits of time are a quarter of an hour.
    Beats are counted, not seconds, so that a machine that was asleep for a while goes on. The store
    answers from a thread of its own: a chief that is busy is not silent, one that was stopped is.
    """

    def __init__(self, store: dist.Store, member: int | str) -> None:
        self._store, self._member = store, member
        self._over = threading.Event()
        self._unanswered = 0
        self._heard: dict[int, tuple[int, float]] = {}
        threading.Thread(target=self._beat, name="darter beat", daemon=True).start()
        if member:
            threading.Thread(target=self._watch, name="darter watch", daemon=True).start()

    def has_begun(self, member: int) -> bool:
        return self._store.add(f"beat/{member}", 0) > 0

    def silence(self, member: int) -> float:
        """Seconds that nothing is heard of a member, between calls of this; 0 until it began."""
        count, now = self._store.add(f"beat/{member}", 0), time.monotonic()
        before, since = self._heard.get(member, (0, now))
        if count != before or not count:
            before, since = self._heard[member] = count, now
        return now - since

    def silent(self, members: list[int], seconds: float) -> list[int]:
        """Those of the members of whom nothing is heard for so long, from now on."""
        before = {m: self._store.add(f"beat/{m}", 0) for m in members}
        waiting, until = set(members), time.monotonic() + seconds
        while waiting and time.monotonic() < until:
            time.sleep(BEAT_SECONDS / 4)
            waiting -= {m for m in waiting if self._store.add(f"beat/{m}", 0) != before[m]}
        return sorted(waiting)

    def stop(self) -> None:
        self._over.set()

    def _beat(self) -> None:
        with suppress(RuntimeError):  # the store is gone: the run is over
            store = self._store.clone()
            while not self._over.wait(BEAT_SECONDS):
                store.add(f"beat/{self._member}", 1)
                self._unanswered = 0

    def _watch(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            self._unanswered += 1
            if self._unanswered >= MOST_UNANSWERED:
                kind = "parameter server" if isinstance(self._member, str) else "worker"
                sys.stderr.write(
                    f"darter: {kind} {self._member} ends: the process that leads the training has "
                    f"not answered for {self._unanswered * BEAT_SECONDS:.0f} s\n"
                )
                sys.stderr.flush()
                os._exit(UNREACHED)
