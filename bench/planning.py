"""How long a new number of pictures takes to plan, and whether other callers wait meanwhile.

    .venv/bin/python bench/planning.py resnet50

Prints, for a net with random weights: milliseconds to plan each batch size once a single picture
and one batch have been run, and the longest call of a known size while others are planned.
"""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import darter
from darter.bench import random_net

SIZES = (2, 3, 5, 6, 7, 9, 12, 16, 24, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", nargs="?", default="resnet50")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = random_net(options.net, Path(folder))
        session = darter.load(path)
        side = session.info.preprocess.size
        picture = np.zeros((1, 3, side, side), np.float32)
        session.run(picture)
        session.run(np.repeat(picture, 8, axis=0))
        programs = session._runtime._programs((side, side))
        times = {size: _milliseconds(lambda size=size: programs.program(size)) for size in SIZES}
        for size, ms in times.items():
            print(f"{options.net}: {size} pictures planned in {ms:.1f} ms")
        print(
            f"median {statistics.median(times.values()):.1f} ms, most {max(times.values()):.1f} ms"
        )
        _other_caller(session, picture, programs)


def _other_caller(session, picture, programs) -> None:
    """Calls of one picture, alone and while another thread plans one size after the other."""
    alone = [_milliseconds(lambda: session.run(picture)) for _ in range(30)]
    stop = threading.Event()

    def plan() -> None:
        while not stop.is_set():
            for size in SIZES:  # more than are kept, so that each is planned anew
                programs.program(size)
                programs.program(1)

    planner = threading.Thread(target=plan)
    planner.start()
    beside = [_milliseconds(lambda: session.run(picture)) for _ in range(30)]
    stop.set()
    planner.join()
    print(
        f"a call of one picture: {statistics.median(alone):.1f} ms alone, "
        f"{statistics.median(beside):.1f} ms while others are planned (most {max(beside):.1f} ms)"
    )


def _milliseconds(run) -> float:
    began = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
