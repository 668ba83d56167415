"""Members as processes of this machine, for tests: the real link, schemes and team without Ray."""

import multiprocessing
import os
import pickle
import signal
from dataclasses import replace
from datetime import timedelta

import torch.distributed as dist

from darter.distributed.job import Job, follow
from darter.distributed.link import Link
from darter.distributed.network import LOOPBACK, listen

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.distributed.processes", "tests.train.tiny"])


def member(pickled: bytes, number: int, heard: int, port: int) -> None:
    job: Job = pickle.loads(pickled)
    store = dist.TCPStore(LOOPBACK, port, is_master=False, timeout=timedelta(seconds=60))
    link = Link(store, number, job.patience, "lo")
    link.heard(heard)
    follow(job, link, 1)
    link.close()


class Processes:
    """A crew of `count` members."""

    def __init__(self, count: int, *, elastic: bool = True, patience: float = 60.0) -> None:
        self.count, self.elastic, self.patience = count, elastic, patience
        self.running: dict[int, multiprocessing.process.BaseProcess] = {}
        self.hired = 0

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
        process = SERVER.Process(
            target=member, args=(self.job, self.hired, self.link.said, self.port), daemon=True
        )
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

    def recruits(self) -> list[int]:
        return [m for m in self.running if self.store.check([f"ready/{m}"]) and not self.fate(m)]

    def dismiss(self) -> None:
        for process in self.running.values():
            process.join(10)
        self.ended = {m: p.exitcode for m, p in self.running.items()}
        self.running = {}

    def close(self) -> None: ...
