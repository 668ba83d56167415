"""Which resource limits a training run on this machine, found by runs that leave it out."""

from darter.doctor.diagnose import diagnose
from darter.doctor.diagnosis import Diagnosis
from darter.doctor.job import Job, Model

__all__ = ["Diagnosis", "Job", "Model", "diagnose"]
