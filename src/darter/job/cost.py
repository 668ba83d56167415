"""What a wish has cost: the model as it was trained, and as it was made, on the same pictures."""

from functools import partial
from typing import Any

import numpy as np

from darter.files import read_json
from darter.job.material import Start
from darter.job.run import Run
from darter.job.run_folder import TRAINED
from darter.job.verdict import margin
from darter.model import Session, analyze_file, evaluate_samples, in_turns, load

SECONDS, FEWEST = 0.3, 20  # of timing each file, in turns


def compare_files(run: Run, start: Start) -> None:
    """Add both files to arranged.json: time, size and score on the held-out pictures."""
    wish, folder = run.options.wish, run.folder
    if wish is None:
        return
    part, indices = start.material.judged
    paths = folder.path / TRAINED, folder.model
    sessions = [load(path) for path in paths]
    samples = start.material.samples(indices)
    judged = [evaluate_samples(session, samples) for session in sessions]
    times = milliseconds(sessions)
    record = read_json(folder.path / "arranged.json")
    made = [record["before"], next((t for t in record["tried"] if t["kept"]), record["before"])]
    rows = [
        {
            "file": path.name,
            "size": session.info.preprocess.side,
            "ms": round(ms, 4),
            "bytes": path.stat().st_size,
            "multiply_adds": analyze_file(path, runs=0).multiply_adds,
            "weights": row["weights"],
            "score": found.score,
            "interval": found.interval,
        }
        for path, session, found, ms, row in zip(paths, sessions, judged, times, made, strict=True)
    ]
    change = margin(judged[1].right, judged[0].right)
    record |= {
        "files": rows,
        "met": wish.met(times[1], times[0], rows[1]["bytes"]),
        "change": change.to_json(),
        "measure": judged[0].measure,
        "n": judged[0].n,
        "part": part,
    }
    folder.record("arranged", record)
    run.screen.line("wish", words(record))


def words(record: dict[str, Any]) -> str:
    """A table of both files in three lines."""
    before, after = record["files"]
    change = record["change"]
    met = "met" if record["met"] else "NOT met"
    lines = [f"{record['wish']}: {met}"]
    lines += [
        f"{row['file']}: {row['ms']:.3g} ms, {row['bytes'] / 1e6:.3g} MB, {record['measure']} "
        f"{row['score']:.1%} of {record['n']} {record['part']} pictures"
        for row in (before, after)
    ]
    points, error = 100 * change["difference"], 100 * change["standard_error"]
    lines.append(f"it costs {-points:.1f} ± {error:.1f} points" if points else "it costs nothing")
    return "\n".join(lines)


def milliseconds(sessions: list[Session]) -> list[float]:
    """The fastest of several runs for one picture; the sessions in turns, as machines are busy."""
    runs = {
        k: partial(session.logits, np.zeros((1, *session.info.preprocess.shape), np.float32))
        for k, session in enumerate(sessions)
    }
    times = in_turns(runs, seconds=SECONDS, fewest=FEWEST, warm=True)
    return [min(taken) for taken in times.values()]
