"""Several processes, on one machine or many, train one net.

A training (`darter.train.fit`) takes a `Team` as its world. The process that calls it is the chief:
it decides, validates and keeps the records; members follow its commands. A crew starts members and
knows how they are; a scheme says how they work together.

world = Team(RayCrew(workers=4))
fit(…, world=world)
"""

from darter.distributed.machines import Machines, world_of
from darter.distributed.rays import RayCrew
from darter.distributed.schemes import SCHEMES
from darter.distributed.survey import Survey, Work, survey
from darter.distributed.team import Team, WorkerError
from darter.distributed.torchrun import TorchrunCrew, is_member, is_torchrun, serve
from darter.distributed.trials import Share, SharedTrials, on_workers

__all__ = [
    "SCHEMES",
    "Machines",
    "RayCrew",
    "Share",
    "SharedTrials",
    "Survey",
    "Team",
    "TorchrunCrew",
    "Work",
    "WorkerError",
    "is_member",
    "is_torchrun",
    "on_workers",
    "serve",
    "survey",
    "world_of",
]
