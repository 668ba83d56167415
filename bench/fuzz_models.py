"""Damage model files and see that darter only ever answers with a sentence.

    PYTHONPATH=. python bench/fuzz_models.py --count 20000
    PYTHONPATH=. python bench/fuzz_models.py --quantized --count 5000
    PYTHONPATH=. python bench/fuzz_models.py --first 1234 --count 1     one file again

File number n is made from the seed n alone: one of the nets of `tests.fuzz.nets`, with bytes
flipped, cut or moved, or with its structure made absurd: shapes, attributes, counts, wires, names,
metadata, constants that ask for gigabytes. It is loaded and run on pictures in a process apart,
with 2 GB of address space and 10 s for each file. Anything but an answer, ModelFileError,
UnsupportedError or ShapeError is a finding; it is printed with its number. With --quantized the
nets are in 8 bits, and answers are held against ONNX Runtime's where that runs the file, too.
"""

import argparse
import importlib
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

WORKER = [sys.executable, "-m", "tests.fuzz.worker"]  # run in the folder above tests/
SECONDS, MEMORY = 10.0, 2 * 2**30


@dataclass
class Tally:
    """How the files ended: outcome -> how many; findings: (number, what)."""

    outcomes: Counter = field(default_factory=Counter)
    findings: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0


def fuzz(
    first: int,
    count: int,
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    quantized: bool = False,
) -> Tally:
    """Try files first … first + count - 1, with a new process after each finding."""
    tally, number = Tally(), first
    while number < first + count:
        number = _one_process(number, first + count, tally, seconds, (memory, int(quantized)))
    return tally


def _one_process(
    start: int, stop: int, tally: Tally, seconds: float, given: tuple[int, int]
) -> int:
    """Files until one ends the process; returns the number to go on with."""
    command = [*WORKER, str(start), str(stop), *map(str, given)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert worker.stdout is not None and worker.stderr is not None
    watch = selectors.DefaultSelector()
    watch.register(worker.stdout, selectors.EVENT_READ)
    number, begun, rest = start, None, b""
    limit = 60.0  # for the imports
    while True:
        if not watch.select(timeout=limit):
            worker.kill()
            worker.wait()
            tally.findings.append((number, f"no answer after {limit:g} s"))
            return number + 1
        chunk = os.read(worker.stdout.fileno(), 65536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number, outcome = int(line.split()[0]) + 1, line.split()[1].decode()
            now = time.monotonic()
            if begun is not None:
                tally.slowest = max(tally.slowest, now - begun)
            begun, limit = now, seconds
            tally.outcomes[outcome] += 1
            if outcome not in ("ran", "ModelFileError", "UnsupportedError", "ShapeError"):
                tally.findings.append((number - 1, line.decode(errors="replace")))
    errors = worker.stderr.read().decode(errors="replace")
    status = worker.wait()
    if number < stop:
        tally.findings.append((number, f"exit status {status}: {errors[-2000:]}"))
        return number + 1
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--count", type=int, default=1000, help="how many files")
    parser.add_argument("--memory", type=int, default=MEMORY, help="bytes; 0 for no bound")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for one file")
    parser.add_argument("--quantized", action="store_true", help="nets in 8 bits only")
    options = parser.parse_args()
    memory, seconds = options.memory, options.seconds
    importlib.import_module(WORKER[-1])  # what cannot be imported is no finding
    tally = fuzz(
        options.first,
        options.count,
        seconds=seconds,
        memory=memory,
        quantized=options.quantized,
    )
    for number, what in tally.findings:
        print(f"file {number}: {what}")
    ended = ", ".join(f"{count} {name}" for name, count in tally.outcomes.most_common())
    print(f"{options.count} files: {ended}; {len(tally.findings)} findings")
    bound = f"{memory >> 20} MB" if memory else "none"
    print(f"slowest {tally.slowest:.1f} s of {seconds:g}, memory bound {bound}")
    sys.exit(bool(tally.findings))


if __name__ == "__main__":
    main()
