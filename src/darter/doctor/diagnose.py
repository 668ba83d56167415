"""Time a job with its parts left out, name the part that limits, and the remedy."""

from collections.abc import Callable
from dataclasses import replace

from darter.dataset import read_cold
from darter.doctor import runs
from darter.doctor.diagnosis import Diagnosis, Times
from darter.doctor.job import Job
from darter.doctor.memory import measure_memory
from darter.doctor.parts import measure_parts
from darter.doctor.remedies import Remedy, remedy_for
from darter.doctor.runs import Run

RUNS: dict[Callable[[Job, float], Run], str] = {
    runs.everything: "everything",
    runs.without_reading: "everything but reading",
    runs.without_decoding: "everything but reading and decoding",
    runs.without_pictures: "the model alone",
    runs.without_model: "the pictures alone",
}
ROUNDS = 2


def diagnose(
    job: Job,
    *,
    seconds: float = 20.0,
    verify: bool = False,
    cache_bytes: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Say which part of a training job limits it on this machine.

    seconds: for all runs together, about.   verify: try the remedy.
    cache_bytes: memory for decoded pictures; None for what training would take. Where all pictures
        fit, they are read and decoded in the first epoch only, and the later ones are examined.
    progress: is told what is being measured.

    The part is found by differences: the run with everything, and one run each without reading,
    without decoding too, without augmentation too, and without the model. What saves most limits.
    """
    say = progress or (lambda what: None)
    say("single parts")
    parts = measure_parts(job)
    memory = measure_memory(parts.decoded_bytes * job.total, cache_bytes)
    job = replace(job, kept=memory.keeps_all)
    if parts.read_cold is not None and parts.bytes * job.total > memory.free > 0:
        job = replace(job, read=read_cold(job.read))
    times = _differences(job, seconds / len(RUNS), say)
    memory = replace(measure_memory(memory.decoded, cache_bytes), for_pictures=memory.for_pictures)
    saved = times.saved()
    limit = "memory" if memory.is_short else max(saved, key=lambda part: saved[part])
    found = remedy_for(limit, job, times, parts)
    verified = None
    if verify:
        say("the remedy")
        verified = _gain(job, found, seconds / len(RUNS))
    return Diagnosis(
        limit=limit,
        remedy=found.advice,
        speedup=found.speedup,
        times=times,
        parts=parts,
        memory=memory,
        pictures=job.total,
        kept=job.kept,
        verified=verified,
    )


def _differences(job: Job, seconds: float, say: Callable[[str], None]) -> Times:
    """The faster of two rounds of all runs, as something else may keep the machine busy."""
    best: dict[Callable[[Job, float], Run], Run] = {}
    for _ in range(ROUNDS):
        for run, what in RUNS.items():
            if job.kept and run in (runs.without_reading, runs.without_decoding):
                continue  # nothing is read or decoded
            say(what)
            done = run(job, seconds / ROUNDS)
            if run not in best or done.seconds < best[run].seconds:
                best[run] = done
    whole = best[runs.everything]
    return Times.measured(
        whole.seconds,
        best.get(runs.without_reading, whole).seconds,
        best.get(runs.without_decoding, whole).seconds,
        best[runs.without_pictures].seconds,
        best[runs.without_model].seconds,
        whole.waiting,
    )


def _gain(job: Job, remedy: Remedy, seconds: float) -> float:
    """How much faster the job is with the remedy: the faster of two rounds, taken in turns."""
    before, after = [], []
    for _ in range(ROUNDS):
        before.append(runs.everything(job, seconds).seconds)
        after.append(remedy.try_out(seconds).seconds)
    return min(before) / min(after)
