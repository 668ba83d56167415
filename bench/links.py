"""Two processes in network namespaces of their own, with a link of a given rate between them.

    sudo python bench/links.py --rates 1000 100        # Mbit/s; Linux, needs ip and tc (iproute2)
    sudo python bench/links.py --rates 100 --delay 20  # ms, one way
    sudo python bench/links.py --rates 100 --cut sync --moments 5  # cut, five times

Prints pictures per second of each scheme beside the forecast from the measured link, and what
"auto" took. Each process is held to one core, with its loader, so that they are in nobody's way; a
machine of two cores shows the cost of links, not the gain of machines. Delay needs no netem in the
kernel: packets pass through a process that holds them back.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

SPACES = ("darter-a", "darter-b")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
PICTURES, SIDE, BATCH, EPOCHS = 320, 64, 16, 3
MOST_BEFORE = 20.0  # seconds from a scheme's begin to the cut
MOST_AFTER = 60.0  # from there to the end of both processes


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def connect(mbit: int, delay: float) -> subprocess.Popen[bytes] | None:
    """Two namespaces with a cable whose ends pass so many Mbit/s; what holds packets back."""
    for space in SPACES:
        ip("netns", "add", space)
    relay = None
    if delay:
        relay = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("delay.py"), str(delay), *SPACES],
            stdout=subprocess.PIPE,
        )
        assert relay.stdout and relay.stdout.readline()  # the devices are there
    else:
        ip("link", "add", "darter0", "netns", SPACES[0], "type", "veth", "peer", "darter0",
           "netns", SPACES[1])  # fmt: skip
    for space, address in zip(SPACES, ADDRESSES, strict=True):
        inside = ("netns", "exec", space)
        ip(*inside, "ip", "link", "set", "lo", "up")
        ip(*inside, "ip", "address", "add", f"{address}/24", "dev", "darter0")
        ip(*inside, "ip", "link", "set", "darter0", "up")
        ip(*inside, "tc", "qdisc", "add", "dev", "darter0", "root", "tbf", "rate", f"{mbit}mbit",
           "burst", "256kb", "latency", "100ms")  # fmt: skip
    return relay


def disconnect() -> None:
    for space in SPACES:
        subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)


def start(rank: int, schemes: list[str]) -> subprocess.Popen[str]:
    """A process as torchrun would start it."""
    rendezvous = {
        "RANK": rank, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 1,
        "MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": 29500, "TORCHELASTIC_RUN_ID": "links",
        "GLOO_SOCKET_IFNAME": "darter0", "OMP_NUM_THREADS": 1, "TORCH_CPP_LOG_LEVEL": "ERROR",
    }  # fmt: skip
    command = ["ip", "netns", "exec", SPACES[rank], sys.executable, __file__, "--process", *schemes]
    env = os.environ | {name: str(value) for name, value in rendezvous.items()}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def process(schemes: list[str]) -> None:
    """What runs in a namespace: rank 0 trains by each scheme and prints a line of JSON for it."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(os.environ["RANK"]) % len(cores)]})
    from darter.distributed import Team, TorchrunCrew, WorkerError, is_member, serve

    if is_member():
        serve()
        return
    warnings.simplefilter("ignore")
    crew = TorchrunCrew()
    print(json.dumps({"scheme": "alone", "speed": train(None), **parts()}), flush=True)
    for scheme in schemes:
        team = Team(crew, scheme)
        started = time.monotonic()
        try:
            speed = train(team)
        except WorkerError as error:
            spent = time.monotonic() - started
            print(json.dumps({"scheme": scheme, "error": str(error), "seconds": spent}), flush=True)
            break
        print(json.dumps({"scheme": scheme, "speed": speed, **team.record}), flush=True)
    crew.close()


def parts() -> dict[str, float]:
    """What a pipeline of two computes for a part of a batch, as so many times that share of a
    whole batch, and the bytes that it passes for it."""
    from darter.distributed.cut import parts_of
    from darter.distributed.survey import Work, part_of_pipeline, step_seconds

    work = Work("efficientnet_lite0", "fine-tune-all", SIDE, BATCH)
    seconds, passed = part_of_pipeline(work, 1, 2)
    worse = seconds * parts_of(BATCH, 2) / step_seconds(work, 1)[0]
    return {"worse": worse, "passed": passed}


def train(world: Any) -> float:
    """Pictures per second in the last epoch."""
    import numpy as np
    import torch

    from darter.picture import Augment, Picture, Preprocess
    from darter.train import Examples, Recipe, fit
    from darter.transfer import Classifier, strategies, zoo

    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (PICTURES, SIDE, SIDE, 3)).astype(np.uint8)
    examples = Examples([Picture(p, ()) for p in pixels], np.arange(PICTURES) % 10)
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, precision="float32", threads=1, patience=0)
    torch.manual_seed(0)
    fitted = fit(
        Classifier(zoo.load(), 10), strategies.get("fine-tune-all"), recipe, examples,
        Examples((), np.zeros(0, np.int64)), None, augment=Augment.default(SIDE),
        preprocess=Preprocess(SIDE), seconds=1e5, world=world,
    )  # fmt: skip
    return fitted.history[-1]["pictures_per_second"]


def table(mbit: int, lines: list[dict[str, Any]]) -> None:
    """Measured speeds beside the forecasts from the same constants."""
    from darter.distributed.cut import parts_of
    from darter.distributed.forecast import FORECASTS, Measured, local

    one = next(line for line in lines if line["scheme"] == "alone")
    alone = one["speed"]
    auto = next(line for line in lines if line["scheme"] == "auto")
    m = Measured(BATCH / alone, BATCH, 4 * 3_400_000, auto["latency_seconds"],
                 auto["bytes_per_second"], 
             part=one["worse"] * BATCH / alone / parts_of(BATCH, 2),
             activations=one["passed"] * parts_of(BATCH, 2))  # fmt: skip
    print(f"{mbit} Mbit/s: measured {8e-6 * m.bandwidth:.0f} Mbit/s, {1e3 * m.latency:.2f} ms")
    for line in lines:
        name = line["scheme"]
        if name == "auto":
            print(f"  auto      {line['speed']:7.1f} pictures/s; {line['why']}")
            continue
        if name == "local":  # an epoch is shorter than its round
            expected = local(m, 2, most=-(-PICTURES // BATCH // 2))
        else:
            expected = FORECASTS[name](m, 2)
        ratio = line["speed"] / expected
        print(f"  {name:9} {line['speed']:7.1f} pictures/s, forecast {expected:7.1f} ({ratio:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rates", type=int, nargs="+", default=[1000, 100], help="Mbit/s")
    parser.add_argument(
        "--schemes", nargs="+", default=["auto", "sync", "sync16", "local", "pipeline"]
    )
    parser.add_argument("--delay", type=float, default=0, help="ms, one way")
    parser.add_argument("--cut", nargs=1, metavar="SCHEME", help="cut the link while it trains")
    parser.add_argument("--process", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--moments", type=int, default=1, help="at which it is cut, each anew")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args()
    if given.process is not None:
        process(given.process)
        return
    moments, hung = random.Random(given.seed), 0
    for mbit in given.rates:
        for _ in range(given.moments if given.cut else 1):
            disconnect()
            relay = connect(mbit, given.delay)
            try:
                if given.cut:
                    hung += not cut(given.cut, moments.uniform(0, MOST_BEFORE))
                else:
                    run(mbit, given.schemes)
            finally:
                disconnect()
                if relay:
                    relay.kill()
    if given.cut:
        print(f"{hung} of {len(given.rates) * given.moments} did not end within {MOST_AFTER:.0f} s")
    sys.exit(hung > 0)


def run(mbit: int, schemes: list[str]) -> None:
    processes = [start(rank, schemes) for rank in (0, 1)]
    try:
        assert processes[0].stdout
        table(mbit, [json.loads(line) for line in processes[0].stdout])
    finally:
        kill(processes)


def cut(scheme: list[str], moment: float) -> bool:
    """Cut the link so many seconds after `scheme` began, and print how it ends.

    Returns whether both processes ended by themselves in time.
    """
    processes = [start(rank, scheme) for rank in (0, 1)]
    try:
        assert processes[0].stdout
        print(f"alone: {processes[0].stdout.readline().strip()}", flush=True)
        time.sleep(moment)
        ip("netns", "exec", SPACES[1], "ip", "link", "set", "darter0", "down")
        print(f"the link is cut {moment:.1f} s after {scheme[0]} began", flush=True)
        started = time.monotonic()
        late = threading.Timer(MOST_AFTER, kill, (processes,))
        late.start()
        for line in processes[0].stdout:
            print(f"after {time.monotonic() - started:.0f} s: {json.loads(line)}", flush=True)
        for one in processes:
            one.wait()
        late.cancel()
    finally:
        kill(processes)
    seconds = time.monotonic() - started
    in_time = seconds < MOST_AFTER
    how = "both processes have ended" if in_time else "STILL THERE, killed"
    print(f"after {seconds:.0f} s: {how}", flush=True)
    return in_time


def kill(processes: list[subprocess.Popen[str]]) -> None:
    for one in processes:
        one.kill()


if __name__ == "__main__":
    main()
