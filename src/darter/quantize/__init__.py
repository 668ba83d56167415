"""Nets in 8 bits: calibrated on pictures, written as standard QDQ ONNX. Needs no PyTorch.

quantize_file(session, path, "photos/")    a file, with its accuracy and its time beside the old
"""

from darter.quantize.compare import Difference, Score, difference, points_lost, score
from darter.quantize.file import MOST_DROP, Wish, quantize, quantize_file, side_by_side
from darter.quantize.net import FloatNet, Settings, read_float_net
from darter.quantize.pictures import Pictures, gather
from darter.quantize.ranges import METHODS, Observed
from darter.quantize.search import Chosen, Sensitive, Tried, choose, noise
from darter.quantize.steps import Range, Steps
from darter.quantize.weights import Filters, quantized_filters

__all__ = [
    "METHODS",
    "MOST_DROP",
    "Chosen",
    "Difference",
    "Filters",
    "FloatNet",
    "Observed",
    "Pictures",
    "Range",
    "Score",
    "Sensitive",
    "Settings",
    "Steps",
    "Tried",
    "Wish",
    "choose",
    "difference",
    "gather",
    "noise",
    "points_lost",
    "quantize",
    "quantize_file",
    "quantized_filters",
    "read_float_net",
    "score",
    "side_by_side",
]
