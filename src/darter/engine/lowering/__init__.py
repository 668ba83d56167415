"""ONNX's operations -> darter's, with every shape known and every constant folded."""

from darter.engine.lowering.lower import lower

__all__ = ["lower"]
