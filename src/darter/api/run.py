"""A training run, as what lies in its folder."""

import webbrowser
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from darter import markup
from darter.api.evaluating import evaluate
from darter.dataset import is_run, run_samples
from darter.errors import DataError
from darter.files import read_json
from darter.model import Judged, Session, evaluate_samples, load

MISTAKES = 12  # that a notebook shows


@dataclass(frozen=True)
class Report:
    """The page of a run; shown in a notebook as it is."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """Show the page in the web browser."""
        webbrowser.open(self.path.resolve().as_uri())

    def _repr_html_(self) -> str:
        page = escape(self.path.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" style="width:100%;height:700px;border:0"></iframe>'


class Run:
    """The folder of a training run, finished or not. Needs no PyTorch, but for `resume`.

    >>> run = Run("run")
    >>> run.state
    'done'
    """

    def __init__(self, path: Path | str) -> None:
        """DataError where the folder holds no run."""
        self.path = Path(path)
        if not is_run(self.path):
            raise DataError(f"{self.path} holds no run of darter: there is no run.json in it")

    def __repr__(self) -> str:
        return f"<Run {self.path}: {self._words()}>"

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says: options, versions, seconds per stage, result, verdict."""
        return read_json(self.path / "run.json")

    @property
    def state(self) -> str:
        """ "done", "interrupted", or "started" where it still runs or was killed."""
        return self.record["state"]

    @property
    def result(self) -> dict[str, Any]:
        """How good the model is on the held-out pictures: accuracy, interval, n, split, and more.

        DataError while there is none.
        """
        return self._finished()["result"]

    @property
    def verdict(self) -> str:
        """In a sentence, whether training was worth more than the baseline."""
        return self._finished()["verdict"]

    @cached_property
    def model(self) -> Session:
        """The trained model, ready to predict: `run.model(["a.jpg", "b.jpg"])`."""
        self._finished()
        return load(self.path / "model.onnx")

    @property
    def report(self) -> Report:
        """The page about the run."""
        self._finished()
        return Report(self.path / "report.html")

    def evaluate(
        self, data: Path | str | None = None, *, split: str | None = None, **options: Any
    ) -> Judged:
        """The model on labelled pictures, or on a part of the run's own where `data` is None.

        split: "test", "val", "train" or "all"; by default test, else val.   options: as of
        `darter.evaluate`.
        """
        if data is not None:
            return evaluate(self.model, data, split=split, **options)
        samples, _ = run_samples(self.path, split)
        return evaluate_samples(self.model, samples, **options)

    def resume(self, *, quiet: bool = False) -> "Run":
        """Go on where the run was interrupted; a finished one only gets its page again."""
        from darter.api.training import screen
        from darter.job import resume_job
        from darter.train import Interrupted

        try:
            resume_job(self.path, screen(quiet))
        except Interrupted:
            words = f"stopped; go on with: darter.Run({str(self.path)!r}).resume()"
            raise Interrupted(words) from None
        self.__dict__.pop("model", None)
        return self

    def _finished(self) -> dict[str, Any]:
        record = self.record
        if record["state"] != "done":
            raise DataError(
                f"the run in {self.path} is not finished; go on with: "
                f"darter.Run({str(self.path)!r}).resume()"
            )
        return record

    def _words(self) -> str:
        record = self.record
        if record["state"] != "done":
            return f"{record['state']}, not finished"
        result, (low, high) = record["result"], record["result"]["interval"]
        measure = result.get("measure", "accuracy")
        return (
            f"{measure} {result['accuracy']:.1%} on {result['n']} {result['split']} pictures, "
            f"95% interval {low:.1%} to {high:.1%}"
        )

    def _repr_html_(self) -> str:
        """The result, the race and the worst mistakes."""
        record = self.record
        parts = [markup.paragraph(self._words())]
        if record["state"] != "done":
            return markup.joined(parts)
        parts.append(markup.paragraph(record["verdict"]))
        facts = [
            ("strategy", record["strategy"]["name"]),
            ("classes", ", ".join(record["classes"][:12])),
            *((f"{part} pictures", count) for part, count in record["counts"].items()),
            ("seconds", f"{sum(record['seconds'].values()):.0f}"),
            ("model", self.path / "model.onnx"),
            ("report", self.path / "report.html"),
        ]
        parts.append(markup.table(("run", str(self.path)), facts))
        shown = read_json(self.path / "explain.json")["mistakes"][:MISTAKES]
        for entry in shown:
            file = self.path / str(entry.get("picture"))
            if file.is_file() and file.resolve().is_relative_to(self.path.resolve()):
                words = f"{entry.get('label')}, called {entry.get('predicted')}"
                parts.append(markup.picture(file.read_bytes(), words))
        return markup.joined(parts)
