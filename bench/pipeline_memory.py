"""A net whose training does not fit one process trains as a pipeline of two.

    python bench/pipeline_memory.py                 # Linux
    python bench/pipeline_memory.py --batch 64 --times 1.5

Measures the most memory that a training of EfficientNet-Lite0 takes in one process, forbids every
process more than that divided by `--times` (RLIMIT_DATA: what it has of its own, touched or not),
and trains again in one process, and in two under the same limit. Prints memory and losses; the
exit status is 1 unless one process ends with a sentence and two with the losses of one without a
limit, to 1e-5.
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

STEPS, CLASSES, CLOSE = 2, 10, 1e-5
MIB = 1 << 20


def process(side: int, batch: int, limit: int) -> None:
    """What each process does: rank 0 prints the losses of its epochs as JSON."""
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    warnings.simplefilter("ignore")
    from darter.machine import allocator

    allocator.PLENTY = sys.maxsize  # what is kept for the next step is no need
    from darter.distributed import Team, TorchrunCrew, is_member, is_torchrun, serve
    from darter.errors import DarterError

    if is_member():
        serve()
        return
    crew = TorchrunCrew() if is_torchrun() else None
    try:
        losses = train(side, batch, Team(crew, "pipeline") if crew else None)
    except DarterError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        raise SystemExit(2) from None
    finally:
        if crew:
            crew.close()
    print(json.dumps({"losses": losses}), flush=True)


def train(side: int, batch: int, world: Any) -> list[float]:
    """Losses of the epochs, in training and validation."""
    import numpy as np
    import torch

    from darter.picture import Augment, Picture, Preprocess
    from darter.train import Examples, Recipe, fit
    from darter.transfer import Classifier, strategies, zoo

    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (STEPS * batch + 8, side, side, 3)).astype(np.uint8)
    pictures = [Picture(each, ()) for each in pixels]
    numbers = np.arange(len(pictures)) % CLASSES
    torch.manual_seed(0)
    model = Classifier(zoo.load(), CLASSES)
    recipe = Recipe(
        epochs=1, batch_size=batch, optimizer="sgd", learning_rate=1e-3, dropout=0.0, ema=0.0,
        precision="float32", threads=1, patience=0, norm_statistics="frozen",
    )  # fmt: skip
    fitted = fit(
        model, strategies.get("fine-tune-all"), recipe,
        Examples(pictures[8:], numbers[8:]), Examples(pictures[:8], numbers[:8]), None,
        augment=Augment.default(side), preprocess=Preprocess(side), world=world,
        seconds=1e5 if world else None,  # for which a step is timed where one process has room
    )  # fmt: skip
    found = [epoch[name] for epoch in fitted.history for name in ("loss", "val_loss")]
    return [loss for loss in found if loss is not None]


def run(count: int, given: argparse.Namespace, limit: int = 0) -> dict[str, Any]:
    """`process` in so many processes: what rank 0 printed, and the most MiB that each took."""
    command = [sys.executable, __file__, "--process", f"--side={given.side}",
               f"--batch={given.batch}", f"--limit={limit}"]  # fmt: skip
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    running = []
    for rank in range(count):
        rendezvous = {
            "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count,
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "memory",
            "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": 1, "TORCH_CPP_LOG_LEVEL": "ERROR",
        }  # fmt: skip
        env = os.environ | ({k: str(v) for k, v in rendezvous.items()} if count > 1 else {})
        running.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
    try:
        most = watch([each.pid for each in running], running[0])
        said = running[0].communicate(timeout=60)[0].splitlines()
    finally:
        for each in running:
            each.kill()
            each.wait()
    told = json.loads(said[-1]) if said else {"error": f"exit status {running[0].returncode}"}
    return {**told, "mib": [round(each / MIB) for each in most]}


def watch(pids: list[int], first: subprocess.Popen[str]) -> list[int]:
    """The most bytes that each process has of its own, until the first one ends."""
    most = [0] * len(pids)
    while first.poll() is None:
        for number, pid in enumerate(pids):
            most[number] = max(most[number], own_bytes(pid))
        time.sleep(0.005)
    return most


def own_bytes(pid: int) -> int:
    """What RLIMIT_DATA counts; 0 where the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(x.split()[1]) for x in lines if x.startswith("VmData")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=224, help="of pictures, in pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--times", type=float, default=1.5, help="what is needed, by the limit")
    parser.add_argument("--process", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process:
        process(given.side, given.batch, given.limit)
        return
    free = run(1, given)
    print(f"one process: {free['mib'][0]} MiB; losses {free['losses']}", flush=True)
    limit = int(free["mib"][0] * MIB / given.times)
    print(f"limit for each process: {limit // MIB} MiB, {given.times:g} times less", flush=True)
    one, two = run(1, given, limit), run(2, given, limit)
    print(f"one process:   {one.get('error') or one['losses']}")
    mib = " and ".join(map(str, two["mib"]))
    print(f"two processes: {mib} MiB; {two.get('error') or two['losses']}")
    if "error" not in one or "error" in two:
        raise SystemExit(1)
    apart = max(abs(a - b) for a, b in zip(free["losses"], two["losses"], strict=True))
    print(f"losses differ by {apart:.1e} at most")
    raise SystemExit(apart > CLOSE)


if __name__ == "__main__":
    main()
