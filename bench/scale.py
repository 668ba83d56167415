"""How far training on 1 to 1,000 processes goes, simulated from measured constants.

    python bench/scale.py                          # a picture and a table from the constants below
    python bench/scale.py --step 0.4 --size 16e6 --bandwidth 12.5e6 --latency 0.01

Every step of every process is drawn from a distribution with stragglers, and processes fail; sync
waits for the slowest and loses the step under way, local loses a round of one process, async nobody
waits. Printed beside it: what `darter.distributed.forecast` says by a formula, without failures.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from darter.distributed.forecast import FORECASTS, Measured, ring, rounds
from darter.distributed.shares import parts_for

COUNTS = (1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
STEPS = 400  # simulated
RESTART = 30.0  # seconds until a lost process is noticed and the others go on


def durations(m: Measured, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Seconds of steps: lognormal around m.step, one in 200 is 5 times as long (a straggler)."""
    sigma = np.sqrt(np.log(1 + m.spread**2))
    steps = m.step * random.lognormal(-(sigma**2) / 2, sigma, shape)
    return np.where(random.random(shape) < 0.005, 5 * steps, steps)


def failures(random: np.random.Generator, n: int, seconds: float, per_hour: float) -> int:
    return int(random.poisson(n * per_hour * seconds / 3600))


def sync(m: Measured, n: int, random: np.random.Generator, per_hour: float) -> float:
    spent = (durations(m, random, (STEPS, n)) / n).max(axis=1) + ring(m, n, m.size)
    spent = spent + ring(m, n, 16) + m.latency
    lost = failures(random, n, spent.sum(), per_hour)
    return STEPS * m.pictures / (spent.sum() + lost * (RESTART + spent.mean()))


def local(m: Measured, n: int, random: np.random.Generator, per_hour: float) -> float:
    alone = rounds(m, n)
    count = max(1, STEPS // alone)
    together = durations(m, random, (count, alone, n)).sum(axis=1).max(axis=1)
    spent = together.sum() + count * (ring(m, n, m.size) + m.latency)
    lost = failures(random, n, spent, per_hour)
    pictures = (count * n - lost) * alone * m.pictures
    return max(0.0, pictures) / (spent + lost * RESTART)


def downpour(m: Measured, n: int, random: np.random.Generator, per_hour: float) -> float:
    """Workers take turns at the servers, whose links carry a push and a pull for each part of a
    batch."""
    parts = parts_for(m.pictures, n)
    m = replace(m, step=m.step / parts)
    carry = m.size / m.bandwidth  # of a push; pulls go the other way at the same time
    free = durations(m, random, (n,)) + m.latency
    server, done = 0.0, 0
    total = STEPS * min(n, 64)
    for _ in range(total):
        k = int(free.argmin())
        server = max(server, free[k]) + carry
        done += 1
        free[k] = server + carry + 4 * m.latency + durations(m, random, (1,))[0]
    lost = failures(random, n, server, per_hour)
    return (done - lost) * m.pictures / parts / server


def pipeline(m: Measured, n: int, random: np.random.Generator, per_hour: float) -> float:
    parts = 2 * n
    slow = durations(m, random, (min(STEPS, 50), n)).max(axis=1) / n
    passing = 2 * (m.activations / parts / m.bandwidth + m.latency) * (n > 1)
    worse = (m.part or m.step / parts) * parts / m.step  # of small parts
    spent = (parts + n - 1) * (slow * worse / parts + passing)
    lost = failures(random, n, spent.sum(), per_hour)
    return len(slow) * m.pictures / (spent.sum() + lost * RESTART)


SIMULATIONS = {"sync": sync, "local": local, "async": downpour, "pipeline": pipeline}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--step", type=float, default=0.2, help="seconds of a step, one process")
    parser.add_argument("--pictures", type=int, default=16, help="in a batch")
    parser.add_argument("--size", type=float, default=13.5e6, help="bytes that are learned")
    parser.add_argument("--latency", type=float, default=2e-4, help="seconds")
    parser.add_argument("--bandwidth", type=float, default=1.25e8, help="bytes/s (1 Gbit/s)")
    parser.add_argument("--spread", type=float, default=0.1, help="of steps, share of the mean")
    parser.add_argument("--activations", type=float, default=13e6, help="bytes of a batch at a cut")
    parser.add_argument("--failures", type=float, default=0.01, help="of a process, per hour")
    parser.add_argument("--out", type=Path, default=Path("bench/results/scale"))
    given = parser.parse_args()
    m = Measured(
        given.step, given.pictures, int(given.size), given.latency, given.bandwidth, given.spread,
        activations=int(given.activations),
    )  # fmt: skip
    random = np.random.default_rng(0)
    rows = []
    print(f"pictures/s, simulated (formula in brackets); {m}, {given.failures} failures/hour")
    print(f"{'processes':>9}" + "".join(f"{name:>20}" for name in SIMULATIONS))
    for n in COUNTS:
        row: dict[str, float] = {"processes": n}
        line = f"{n:9}"
        for name, simulate in SIMULATIONS.items():
            row[name] = simulate(m, n, random, given.failures)
            line += f"{row[name]:11.1f} ({FORECASTS[name](m, n):6.0f})"
        rows.append(row)
        print(line, flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.with_suffix(".jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    draw(rows, given.out.with_suffix(".png"))


def draw(rows: list[dict[str, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    counts = [row["processes"] for row in rows]
    for name in SIMULATIONS:
        axes.loglog(counts, [row[name] for row in rows], marker="o", label=name)
    ideal = [rows[0]["local"] * n for n in counts]
    axes.loglog(counts, ideal, color="0.7", linestyle="--", label="ideal")
    axes.set_xlabel("processes")
    axes.set_ylabel("pictures per second")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()
