"""ONNX files: read them without trusting them."""
