"""What a net costs and sees, layer by layer."""

from darter.net.analyze.layers import Analysis, Layer, analyze

__all__ = ["Analysis", "Layer", "analyze"]
