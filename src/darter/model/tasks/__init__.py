"""What is to be said of a picture: one value per task, found by name.

TASKS["classify"]      one label per picture
TASKS["multilabel"]    any number of labels per picture
"""

from darter.errors import OptionError
from darter.model.tasks.classify import Classify
from darter.model.tasks.multilabel import Multilabel
from darter.model.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Classify(), Multilabel())}


# Tasks whose answer is no class, and the command that gives it.
OTHERS = {"detect": "darter detect", "caption": "darter caption"}


def check_task(name: str) -> None:
    """OptionError unless darter knows a task of that name."""
    if name not in OTHERS:
        get_task(name)


def get_task(name: str) -> Task:
    """The task of that name; OptionError names those there are."""
    if name not in TASKS:
        raise OptionError(f"task {name!r} is not one of {', '.join(TASKS)}")
    return TASKS[name]


__all__ = ["OTHERS", "TASKS", "Classify", "Multilabel", "Task", "check_task", "get_task"]
