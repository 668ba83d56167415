"""Members as processes of this machine, for tests: the real link, schemes and team without Ray."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from multiprocessing.managers import AutoProxy, BaseManager, Token
from pathlib import Path

import torch.distributed as dist

from darter.cluster import LOOPBACK, listen
from darter.distributed.job import Job, follow
from darter.distributed.link import Link, store_at
from darter.distributed.servers import Server, ServerProcess

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.distributed.processes", "tests.train.tiny"])


def member(pickled: bytes, number: int, port: int) -> None:
    job: Job = pickle.loads(pickled)
    link = Link(store_at(LOOPBACK, port), number, job.patience, "lo")
    follow(job, link, 1)
    link.close()


class Processes:
    """A crew of `count` members."""

    def __init__(self, count: int, *, elastic: bool = True, patience: float = 60.0) -> None:
        self.count, self.elastic, self.patience = count, elastic, patience
        self.running: dict[int, multiprocessing.process.BaseProcess] = {}
        self.hired = 0
        self._servers = LocalServers()

    def threads(self) -> int:
        return 1

    def enlist(self, job: Job):
        server = listen(LOOPBACK)
        self.port = server.getsockname()[1]
        self.store = dist.TCPStore(
            LOOPBACK, self.port, is_master=True, wait_for_workers=False,
            master_listen_fd=server.detach(), timeout=timedelta(seconds=60),
        )  # fmt: skip
        job = replace(job, patience=self.patience)
        self.job = pickle.dumps(job)  # multiprocessing's own way would share the tensors' memory
        self.link = Link(self.store, 0, self.patience, "lo")
        for _ in range(self.count):
            self.hire()
        return self.link, list(self.running)

    def hire(self) -> int:
        self.hired += 1
        process = SERVER.Process(target=member, args=(self.job, self.hired, self.port), daemon=True)
        process.start()
        self.running[self.hired] = process
        return self.hired

    def kill(self, number: int) -> None:
        os.kill(self.running[number].pid, signal.SIGKILL)

    def place(self, number: int) -> str:
        return f"here (process {self.running[number].pid})"

    def fate(self, number: int) -> str:
        code = self.running[number].exitcode
        return "" if code is None else f"exit code {code}"

    def give_up(self, number: int) -> None:
        self.running[number].kill()

    def recruits(self, members) -> list[int]:
        new = [m for m in self.running if m not in members and not self.fate(m)]
        return [m for m in new if self.link.is_ready(m)]

    def servers(self) -> "LocalServers":
        return self._servers

    def machines(self) -> int:
        return 1

    def dismiss(self) -> None:
        for process in self.running.values():
            process.join(10)
            process.kill()  # one that was stopped, say
            process.join()
        self.ended = {m: p.exitcode for m, p in self.running.items()}
        self.running = {}

    def close(self) -> None: ...


class Manager(BaseManager):
    """Keeps parameter servers in a process of its own."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()


def end_with(parent: int) -> None:
    """End this process when another has ended, as Ray's do."""

    def watch():
        while Path(f"/proc/{parent}").exists():
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


Manager.register("Server", ServerProcess)


@dataclass
class Failing:
    """A server whose push of this number does not come through."""

    server: Server
    number: int

    def push(self, *values):
        self.number -= 1
        if not self.number:
            raise ConnectionResetError("the connection was cut")
        return self.server.push(*values)

    def __getattr__(self, name):
        return getattr(self.server, name)


@dataclass
class LocalServers:
    """Servers on loopback, each in a process; members reach them through proxies.

    failing: which push of each member to the first server is lost; 0 for none.
    """

    known: dict[str, Server] = field(default_factory=dict)
    managers: list[Manager] = field(default_factory=list)
    failing: int = 0

    def make(self, parts, recipe, usual, store) -> list[str]:
        self.known.clear()
        for manager in self.managers:
            manager.kill()
        self.managers.clear()
        for number, part in enumerate(parts):
            manager = Manager(address=(LOOPBACK, 0), ctx=SERVER)
            manager.start(end_with, (os.getpid(),))
            self.managers.append(manager)
            server = manager.Server(f"parameters-{number}", store, part, recipe, usual)
            host, port = manager.address
            self.known[f"{host} {port} {server._token.id}"] = server
        return list(self.known)

    def find(self, name: str) -> Server:
        if name in self.known:
            return self.known[name]
        host, port, number = name.split()
        token = Token("Server", (host, int(port)), number)
        proxy = AutoProxy(token, "pickle", authkey=multiprocessing.current_process().authkey)
        failing, self.failing = self.failing, 0
        return Failing(proxy, failing) if failing else proxy

    def __getstate__(self):
        return {"known": {}, "managers": [], "failing": self.failing}
