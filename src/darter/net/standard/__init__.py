"""darter's operations in ONNX's standard ones: what `translate` does, the other way round."""

from darter.net.standard.table import OPSET, STANDARD, standard

__all__ = ["OPSET", "STANDARD", "standard"]
