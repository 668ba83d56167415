"""How several processes train one net: a row per scheme."""

from darter.distributed.downpour import DownpourStep
from darter.distributed.joined import JoinedStep
from darter.distributed.local import DiLoCoStep, LocalStep
from darter.distributed.pipeline import PipelineStep
from darter.distributed.sync import HalfSyncStep, SyncStep

AUTO = "auto"  # measures the links, then takes "sync", "local", or one process alone
SCHEMES: dict[str, type[JoinedStep]] = {
    "sync": SyncStep,
    "sync16": HalfSyncStep,
    "async": DownpourStep,
    "local": LocalStep,
    "diloco": DiLoCoStep,
    "pipeline": PipelineStep,
}
