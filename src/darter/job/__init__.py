"""The main job, from a folder of pictures to a report and a model file."""

from darter.job.demo import run_demo
from darter.job.factorize import factorize_file
from darter.job.job import JobOptions, resume_job, run_job
from darter.job.notebook import NotebookScreen, in_notebook
from darter.job.options import parse_seconds
from darter.job.outcome import outcome, show_outcome
from darter.job.run_folder import new_run_path
from darter.job.screen import Screen
from darter.job.wishes import parse_bytes, parse_ms, parse_percent

__all__ = [
    "JobOptions",
    "NotebookScreen",
    "Screen",
    "factorize_file",
    "in_notebook",
    "new_run_path",
    "outcome",
    "parse_bytes",
    "parse_ms",
    "parse_percent",
    "parse_seconds",
    "resume_job",
    "run_demo",
    "run_job",
    "show_outcome",
]
