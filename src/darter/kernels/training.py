"""Training steps of whole nets in the compiled core, by src/kernels/training/steps.hpp.

A slot is told by (kind, at, image): see `Slot` in src/kernels/training/plan.hpp.
"""

from darter.kernels._core import training as training_steps

__all__ = ["training_steps"]
