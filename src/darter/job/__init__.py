"""The main job, from a folder of pictures to a report and a model file."""

from darter.job.demo import run_demo
from darter.job.job import JobOptions, resume_job, run_job
from darter.job.outcome import outcome, show_outcome
from darter.job.screen import Screen

__all__ = ["JobOptions", "Screen", "outcome", "resume_job", "run_demo", "run_job", "show_outcome"]
