"""Which resource limits a training run on this machine, found by runs that leave it out."""

from darter.errors import MissingExtraError
from darter.extras import install_line

try:
    import torch  # noqa: F401
except ImportError as error:
    raise MissingExtraError(f"darter.doctor needs PyTorch: {install_line('train')}") from error

from darter.doctor.backbone import BackboneModel
from darter.doctor.diagnose import diagnose
from darter.doctor.diagnosis import Diagnosis
from darter.doctor.job import Job, Model, some
from darter.doctor.waiting import waiting_sentence

__all__ = [
    "BackboneModel",
    "Diagnosis",
    "Job",
    "Model",
    "diagnose",
    "some",
    "waiting_sentence",
]
