"""Parameter servers as Ray actors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from darter.distributed.servers import Part, Server, ServerProcess
from darter.train import Recipe

ANSWER_SECONDS = 30.0


@dataclass
class RayServers:
    """See `darter.distributed.servers.Servers`. nodes: Ray's ids of the machines."""

    nodes: Sequence[str]
    actors: dict[str, Any] = field(default_factory=dict)  # of the chief, with which they end
    made: int = 0

    def make(
        self, parts: Sequence[Part], recipe: Recipe, usual: float, store: tuple[str, int]
    ) -> list[str]:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.close()
        for k, part in enumerate(parts):
            self.made += 1
            place = NodeAffinitySchedulingStrategy(self.nodes[k % len(self.nodes)], soft=True)
            name = f"parameters-{self.made}"
            kind = ray.remote(ServerProcess)
            hire = kind.options(name=name, num_cpus=0, scheduling_strategy=place)
            self.actors[name] = hire.remote(name, store, part, recipe, usual)
        return list(self.actors)

    def find(self, name: str) -> Server:
        import ray

        return _Remote(ray.get_actor(name))  # type: ignore[return-value]  # passes all on

    def close(self) -> None:
        import ray

        for actor in self.actors.values():
            ray.kill(actor)
        self.actors = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "actors": {}}  # members find them by name


class _Remote:
    """Passes a server's calls on to its actor, and waits for the answers."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_") or method == "actor":
            raise AttributeError(method)

        def call(*arguments: Any) -> Any:
            import ray

            answer = getattr(self.actor, method).remote(*arguments)
            return ray.get(answer, timeout=ANSWER_SECONDS)

        return call
