"""`darter doctor DIR --workers N`: what several processes or machines would reach."""

from dataclasses import asdict
from pathlib import Path

from darter.names import to_json

SIZE = 224


def show(
    folder: Path,
    backbone: str,
    strategy: str,
    size: int | None,
    batch: int,
    workers: int | None,
    cluster: str | None,
    *,
    json: bool,
) -> None:
    """Measure, and print a line for each process, the links, and each scheme."""
    from darter.dataset import find_samples
    from darter.distributed import Work, survey

    paths = [s.path for s in find_samples(folder).samples if s.split in (None, "train")]
    found = survey(Work(backbone, strategy, size or SIZE, batch), workers, cluster, paths)
    if json:
        print(to_json(asdict(found), indent=1))
        return
    for number, (machine, seconds) in enumerate(found.steps):
        line = f"process {number} on {machine}: {seconds:.3f} s for a step of {batch} pictures"
        disk = f"; reads {found.disks[number]:.0f} pictures/s" if found.disks else ""
        print(line + disk)
    m = found.measured
    print(
        f"links: {1e3 * m.latency:.2f} ms, {8e-6 * m.bandwidth:.0f} Mbit/s; "
        f"{1e-6 * m.size:.1f} MB are learned"
    )
    for name, pictures in found.forecasts.items():
        note = f"  (exchanges after {steps(found.rounds)})" if name == "local" else ""
        epoch = len(paths) / pictures
        print(f"{name:>9} {pictures:8.1f} pictures/s, {epoch:7.1f} s for an epoch{note}")
    if found.disks and sum(found.disks) < max(found.forecasts.values()):
        print("The disks are slower than that: pack the pictures, or copy them to faster ones.")
    print(f"choice: {found.why}")


def steps(number: int) -> str:
    return "each step" if number == 1 else f"{number} steps"
