"""One process's connection with the others of a training: commands and tensors.

Commands go through a key-value store that the deciding process (the chief, member 0) fills; tensors
go through a process group, which is made anew whenever members come or go.
"""

import io
import json
import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from darter.distributed.pulse import Pulse

POLL_SECONDS = 5.0
CONNECT_SECONDS = 20.0  # to reach the chief, which listens before it starts anybody
ANSWER_SECONDS = 60.0  # of the store to any call
KEPT = 64  # commands that can still be heard


def store_at(host: str, port: int) -> dist.Store:
    """The chief's store, for another process. DistNetworkError where the chief is gone already."""
    limit = timedelta(seconds=CONNECT_SECONDS)
    store = dist.TCPStore(host, port, is_master=False, timeout=limit)
    store.set_timeout(timedelta(seconds=ANSWER_SECONDS))
    return store


class Link:
    """member: a number that stays; `rank` and `size` are those of the group under way.

    patience: seconds that a collective operation may take before somebody counts as lost.
    """

    def __init__(
        self, store: dist.Store, member: int, patience: float, interface: str = ""
    ) -> None:
        self.store, self.member, self.patience = store, member, patience
        self.rank, self.size, self.generation = 0, 1, 0
        self.members: list[int] = [0]
        self._said = self._heard = 0  # numbers of the next commands to give and to hear
        if interface:
            os.environ["GLOO_SOCKET_IFNAME"] = interface
        self.pulse = Pulse(store, member)

    @property
    def address(self) -> tuple[str, int]:
        """Where the store listens, for `store_at`."""
        assert isinstance(self.store, dist.TCPStore)
        return self.store.host, self.store.port

    # Commands.

    def announce(self, do: str, **what: Any) -> None:
        """Tell every member, in order, what comes next."""
        self.store.set(f"said/{self._said}", json.dumps({"do": do, **what}))
        self._said = self.store.add("said", 1)
        if self._said > KEPT:  # long heard: members are never more than a step apart
            self.store.delete_key(f"said/{self._said - KEPT}")

    def ready(self) -> None:
        """Say that this member listens; what was announced before was not for it."""
        self._heard = self.store.add("said", 0)
        self.store.set(f"ready/{self.member}", "")

    def is_ready(self, member: int) -> bool:
        return self.store.check([f"ready/{member}"])

    def choose(self, scheme: str) -> None:
        """Tell every member, also those that come later, how steps are shared."""
        self.store.set("scheme", scheme)

    def scheme(self) -> str:
        return self.store.get("scheme").decode()

    def next(self) -> dict[str, Any]:
        """Wait for the next command, however long it takes while the store is there.

        Where it is not, the chief is gone, and that is the end.
        """
        key = f"said/{self._heard}"
        while True:
            try:
                self.store.wait([key], timedelta(seconds=POLL_SECONDS))
                break
            except dist.DistStoreError:
                continue
            except dist.DistNetworkError:
                return {"do": "end"}
        self._heard += 1
        return json.loads(self.store.get(key))

    # The group.

    def join(self, generation: int, members: list[int]) -> None:
        """Make the process group of these members, in the order of their ranks."""
        self.leave()
        self.generation, self.members = generation, members
        self.rank, self.size = members.index(self.member), len(members)
        dist.init_process_group(
            "gloo",
            store=dist.PrefixStore(f"group/{generation}", self.store),
            rank=self.rank,
            world_size=self.size,
            timeout=timedelta(seconds=self.patience),
        )

    def leave(self) -> None:
        if dist.is_initialized():
            with suppress(RuntimeError):  # a group that is broken already
                dist.destroy_process_group()

    def share(self, state: Any = None, source: int = 0) -> Any:
        """Give everybody the state of rank `source`: plain values and tensors, no code."""
        if self.rank == source:
            buffer = io.BytesIO()
            torch.save(state, buffer)
            content = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
            dist.broadcast(torch.tensor([len(content)]), source)
            dist.broadcast(content, source)
            return state
        length = torch.zeros(1, dtype=torch.int64)
        dist.broadcast(length, source)
        content = torch.empty(int(length), dtype=torch.uint8)
        dist.broadcast(content, source)
        return torch.load(io.BytesIO(content.numpy().tobytes()), weights_only=True)

    # What goes wrong.

    def complain(self, what: str) -> None:
        """Leave word of what went wrong here, for the chief to read."""
        with suppress(RuntimeError):
            self.store.set(f"trouble/{self.member}", what)

    def complaint(self, member: int) -> str:
        key = f"trouble/{member}"
        return self.store.get(key).decode() if self.store.check([key]) else ""

    def wait_to_be_called(self, why: str) -> None:
        """Leave word that this member does nothing since a call to another failed."""
        with suppress(RuntimeError):
            self.store.set(f"idle/{self.member}", why)

    def idle(self, member: int) -> str:
        """Why a member does nothing, where it has left such word since this was last asked."""
        key = f"idle/{member}"
        if not self.store.check([key]):
            return ""
        why = self.store.get(key).decode()
        self.store.delete_key(key)
        return why

    def close(self) -> None:
        self.pulse.stop()
        self.leave()
