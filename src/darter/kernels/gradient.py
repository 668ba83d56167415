"""The gradients of one convolution in the compiled core, on blocked arrays.

`input_gradient(name, numbers)` and `filter_gradient(name, numbers)` make an object for a shape (see
`darter.conv.ConvSpec.numbers`); its `run` computes. Names are those of `darter.conv.GRADIENTS`.
"""

from darter.kernels._core import filter_gradient, input_gradient

__all__ = ["filter_gradient", "input_gradient"]
