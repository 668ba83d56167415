"""ONNX's operations -> darter's, with every shape known and every constant folded."""

from darter.net.translate.walk import translate

__all__ = ["translate"]
