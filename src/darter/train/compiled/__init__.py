"""Training steps of PyTorch's CNNs in darter's compiled core, forward and backward.

compiled(module, example)   a module like it, sharing its parameters
"""

from darter.train.compiled.net import CompiledNet, compiled

__all__ = ["CompiledNet", "compiled"]
