"""An optimizer's step over many arrays in one pass: see src/kernels/update/update.hpp.

`update_all(rules, rows)`; each row is (number of its rule; addresses of weight, gradient, mean,
square, average; count). The arrays are float32; an address of 0 means that there is none.
"""

from darter.kernels._core import UpdateRule, update_all

__all__ = ["UpdateRule", "update_all"]
