"""What a member needs to train along, and how it does."""

from contextlib import ExitStack
from dataclasses import dataclass, replace

from darter.cluster import first_line
from darter.dataset import PictureCache
from darter.distributed.feed import Feed
from darter.distributed.joined import JoinedStep, is_of_the_network
from darter.distributed.link import Link
from darter.distributed.measuring import measure_link
from darter.distributed.schemes import AUTO, SCHEMES
from darter.distributed.servers import Servers
from darter.train import Diverged, Plan, Training, choose_device, computing, move, out_of_memory
from darter.transfer import prepare


@dataclass(frozen=True)
class Job:
    """One training, as it travels to members."""

    training: Training
    plan: Plan
    scheme: str
    patience: float
    servers: Servers | None = None

    @classmethod
    def of(
        cls,
        training: Training,
        plan: Plan,
        scheme: str,
        patience: float,
        servers: Servers | None = None,
    ) -> "Job":
        """Without what belongs to the chief's process alone; a member has a device of its own."""
        recipe = training.recipe
        if scheme == AUTO or not SCHEMES[scheme].averages:
            recipe = recipe.replace(ema=0.0, swa=0.0)
        bare = replace(training, world=None, cache=PictureCache(), recipe=recipe)
        return cls(bare, plan, scheme, patience, servers)


def follow(job: Job, link: Link, threads: int | str) -> None:
    """Train along as a member, until the chief ends it."""
    device = choose_device(job.training.recipe.device)
    training = replace(job.training, device=device, cache=PictureCache())
    with computing(device, threads), ExitStack() as steps:
        move(training.model, device, training.recipe.channels_last)
        prepare(training.model, training.strategy)
        training.model.dropout.p = training.strategy.dropout
        joined = None if job.scheme == AUTO else _joining(job, training, link, job.scheme, steps)
        belongs = False  # to the group; a new member waits until it is called
        link.ready()
        while (command := link.next())["do"] != "end":
            try:
                if command["do"] == "measure":
                    if link.member in command["members"]:
                        link.join(command["generation"], command["members"])
                        measure_link(link)
                    continue
                joined = joined or _joining(job, training, link, link.scheme(), steps)
                step, feed = joined
                match command["do"]:
                    case "regroup":
                        if link.member in command["members"]:
                            link.join(command["generation"], command["members"])
                            step.regrouped()
                            belongs = True
                        elif belongs:
                            return
                    case _ if step.grouped and not belongs:
                        continue
                    case "epoch":
                        feed.open(command["epoch"], command["start"])
                    case _:
                        step.obey(command, feed)
            except Diverged:  # the chief sees it as well, and ends the job
                continue
            except Exception as error:
                if short := out_of_memory(error):
                    link.complain(str(short))
                    raise short from error
                if not is_of_the_network(error):
                    link.complain(f"{type(error).__name__}: {error}")
                    raise
                link.leave()
                link.wait_to_be_called(first_line(error))
                belongs = False  # until the chief says who goes on


def _joining(
    job: Job, training: Training, link: Link, scheme: str, steps: ExitStack
) -> tuple[JoinedStep, Feed]:
    step = SCHEMES[scheme](training, job.plan, link)
    steps.callback(step.close)
    step.servers = job.servers
    loader = training.loader(job.plan.class_balance, step.divide(link))
    return step, Feed(loader, training.recipe.accumulate)
