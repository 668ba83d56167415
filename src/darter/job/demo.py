"""The whole way on real handwritten digits: write them, train, predict."""

from pathlib import Path

from darter.job.digits import write_digits
from darter.job.job import resume_job, run_job
from darter.job.options import JobOptions
from darter.job.run_folder import RunFolder
from darter.job.screen import Screen
from darter.model import load

SHOWN = 5  # predictions at the end


def run_demo(folder: Path, seconds: float, screen: Screen) -> tuple[RunFolder, Path]:
    """Write the digits to FOLDER/digits, train into FOLDER/run, and predict some test pictures.

    An interrupted demo goes on where it was. Returns the run and the first of those pictures.
    """
    digits, out = folder / "digits", folder / "run"
    screen.line("pictures", f"{digits}: 1,797 handwritten digits that come with scikit-learn")
    write_digits(digits)
    if (out / "run.json").exists():
        run = resume_job(out, screen)
    else:
        run = run_job(JobOptions(str(digits), seconds=seconds), out, screen)
    tests = run.read("split")["test"]
    shown = tests[:: max(1, len(tests) // SHOWN)][:SHOWN]
    answers = load(run.model).predict(digits / name for name in shown)
    for name, answer in zip(shown, answers, strict=True):
        label = answer.label or "unknown"
        screen.line("predict", f"{name}  is a {label} ({answer.confidence:.0%})")
    return run, digits / shown[0]
