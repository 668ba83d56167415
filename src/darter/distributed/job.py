"""What a member needs to train along, and how it does."""

from dataclasses import dataclass, replace
from typing import Any

from darter.dataset import PictureCache
from darter.distributed.feed import Feed
from darter.distributed.joined import is_of_the_network
from darter.distributed.link import Link
from darter.distributed.schemes import SCHEMES
from darter.train import Diverged, Plan, choose_device, computing, move
from darter.train import Task as Training
from darter.transfer import prepare


@dataclass(frozen=True)
class Job:
    """One training, as it travels to members."""

    training: Training
    plan: Plan
    scheme: str
    patience: float

    @classmethod
    def of(cls, training: Training, plan: Plan, scheme: str, patience: float) -> "Job":
        """Without what belongs to the chief's process alone."""
        recipe = training.recipe
        if not SCHEMES[scheme].averages:
            recipe = recipe.replace(ema=0.0, swa=0.0)
        bare: Any = replace(training, world=None, cache=None, device=None, recipe=recipe)  # type: ignore[arg-type]
        return cls(bare, plan, scheme, patience)


def follow(job: Job, link: Link, threads: int | str) -> None:
    """Train along as a member, until the chief ends it."""
    device = choose_device(job.training.recipe.device)
    training = replace(job.training, device=device, cache=PictureCache())
    with computing(device, threads):
        move(training.model, device, training.recipe.channels_last)
        prepare(training.model, training.strategy)
        training.model.dropout.p = training.strategy.dropout
        step = SCHEMES[job.scheme](training, job.plan, link)
        loader = training.loader(job.plan.class_balance, step.divide(link))
        feed = Feed(loader, training.recipe.accumulate)
        belongs = False  # to the group; a new member waits until it is called
        link.store.set(f"ready/{link.member}", "")
        while (command := link.next())["do"] != "end":
            try:
                match command["do"]:
                    case "regroup":
                        if link.member in command["members"]:
                            link.join(command["generation"], command["members"])
                            step.regrouped()
                            belongs = True
                        elif belongs:
                            return
                    case _ if not belongs:
                        continue
                    case "epoch":
                        feed.open(command["epoch"], command["start"])
                    case _:
                        step.obey(command, feed)
            except Diverged:  # the chief sees it as well, and ends the job
                continue
            except Exception as error:
                if not is_of_the_network(error):
                    link.complain(f"{type(error).__name__}: {error}")
                    raise
                link.leave()
                belongs = False  # until the chief says who goes on
