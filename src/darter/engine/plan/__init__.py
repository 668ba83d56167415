"""From a graph to a plan: layouts, algorithms, memory, and steps for the compiled core.

Program(graph, batch).run(x)       one batch size
Programs(graph).run(x)             any, with a bound on the plans that are kept
"""

from darter.engine.plan.options import PRECISIONS, Options
from darter.engine.plan.packed import Packed
from darter.engine.plan.program import Program, StepReport, refusals
from darter.engine.plan.programs import Programs

__all__ = ["PRECISIONS", "Options", "Packed", "Program", "Programs", "StepReport", "refusals"]
