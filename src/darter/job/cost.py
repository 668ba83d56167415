"""What a wish has cost: the model as it was trained, and as it was made, on the same pictures."""

from typing import Any

from darter.files import read_json
from darter.job.material import Start
from darter.job.run import Run
from darter.job.run_folder import TRAINED
from darter.job.verdict import paired
from darter.model import analyze_file, evaluate_samples, load
from darter.report import paired_change

BEFORE, NOW = "milliseconds_before", "milliseconds"  # in speed.json


def compare_files(run: Run, start: Start) -> None:
    """Add both files to arranged.json: time, size and score on the held-out pictures.

    Times are those of speed.json: of runs of one picture, in turns, the fastest, as ways are judged
    by; a median is longer the more else the machine does, and for one file more than the other.
    """
    wish, folder = run.options.wish, run.folder
    if wish is None:
        return
    part, indices = start.material.judged
    paths = folder.path / TRAINED, folder.model
    sessions = [load(path) for path in paths]
    samples = start.material.samples(indices)
    judged = [evaluate_samples(session, samples) for session in sessions]
    timed = folder.read("speed")
    times = [timed[which]["batch_1"]["min"] for which in (BEFORE, NOW)]
    record = read_json(folder.path / "arranged.json")
    made = [record["before"], next((t for t in record["tried"] if t["kept"]), record["before"])]
    rows = [
        {
            "file": path.name,
            "size": session.info.preprocess.side,
            "precision": session.precision,
            "ms": round(ms, 4),
            "bytes": path.stat().st_size,
            "multiply_adds": analyze_file(path, runs=0).multiply_adds,
            "weights": row["weights"],
            "score": found.score,
            "interval": found.interval,
        }
        for path, session, found, ms, row in zip(paths, sessions, judged, times, made, strict=True)
    ]
    measured = times[1], times[0], rows[1]["bytes"]
    record |= {
        "files": rows,
        "met": wish.met(*measured),
        "judged": wish.judged(*measured),
        "change": paired(judged[1].right, judged[0].right),
        "measure": judged[0].measure,
        "n": judged[0].n,
        "part": part,
    }
    folder.record("arranged", record)
    _add_to_verdict(run, record)
    run.screen.line("wish", words(record))


def _add_to_verdict(run: Run, record: dict[str, Any]) -> None:
    """That the model which was judged is not the one that was trained; once, if resumed."""
    if not any(row["kept"] for row in record["tried"]):
        return
    after = record["files"][1]["precision"]
    met = "meets" if record["met"] else "does not meet"
    said = (
        f"model.onnx is what was made of it for the wish and {met} it, computed in {after}; "
        "trained.onnx, beside it, is the model as it was trained."
    )
    verdict = run.folder.run["verdict"]
    if not verdict.endswith(said):
        run.folder.save(verdict=f"{verdict} {said}")


def words(record: dict[str, Any]) -> str:
    """A table of both files in a few lines."""
    before, after = record["files"]
    lines = [record["judged"]]
    lines += [
        f"{row['file']}: {row['ms']:.3g} ms in {row['precision']}, {row['bytes'] / 1e6:.3g} MB, "
        f"{record['measure']} {row['score']:.1%} of {record['n']} {record['part']} pictures"
        for row in (before, after)
    ]
    lines.append(paired_change(record["change"], record["measure"], record["part"]))
    if after["precision"] != before["precision"]:
        lines.append(
            f"other runtimes, and CPUs without {after['precision']}, run model.onnx in float32, as "
            "accurate, but the wish may not be met there"
        )
    return "\n".join(lines)
