"""From a graph to a plan: layouts, algorithms, memory, and steps for the compiled core.

Program(graph, batch).run(x)       one batch size
Programs(graph).run(x)             any, with a bound on the plans that are kept
"""

from darter.net.plan.options import PRECISIONS, Options
from darter.net.plan.packed import Packed
from darter.net.plan.program import Program, StepReport, refusals
from darter.net.plan.programs import Programs

__all__ = ["PRECISIONS", "Options", "Packed", "Program", "Programs", "StepReport", "refusals"]
