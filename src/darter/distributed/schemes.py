"""How several processes train one net: a row per scheme."""

from darter.distributed.joined import JoinedStep
from darter.distributed.local import DiLoCoStep, LocalStep
from darter.distributed.pipeline import PipelineStep
from darter.distributed.sync import SyncStep

SCHEMES: dict[str, type[JoinedStep]] = {
    "sync": SyncStep,
    "local": LocalStep,
    "diloco": DiLoCoStep,
    "pipeline": PipelineStep,
}
