"""`darter doctor DIR --workers N`: what several processes or machines would reach."""

from dataclasses import asdict

from darter.names import to_json

SIZE = 224


def show(
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
    from darter.distributed import Work, survey

    found = survey(Work(backbone, strategy, size or SIZE, batch), workers, cluster)
    if json:
        print(to_json(asdict(found), indent=1))
        return
    for number, (machine, seconds) in enumerate(found.steps):
        print(f"process {number} on {machine}: {seconds:.3f} s for a step of {batch} pictures")
    m = found.measured
    print(
        f"links: {1e3 * m.latency:.2f} ms, {8e-6 * m.bandwidth:.0f} Mbit/s; "
        f"{1e-6 * m.size:.1f} MB are learned"
    )
    for name, pictures in found.forecasts.items():
        note = f"  ({found.rounds} steps between exchanges)" if name == "local" else ""
        print(f"{name:>9} {pictures:8.1f} pictures/s{note}")
    print(f"choice: {found.why}")
