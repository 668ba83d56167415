"""A model file that takes decoded pictures of any size, for runtimes other than darter's."""

from darter.model.pixels.export import PixelsProof, export_with_preprocessing
from darter.model.pixels.graph import with_preprocessing

__all__ = ["PixelsProof", "export_with_preprocessing", "with_preprocessing"]
