"""Nets in 8 bits: calibrated on pictures, written as standard QDQ ONNX. Needs no PyTorch.

quantize_file(session, path, "photos/")         a file, with its accuracy and time beside the old
compare_precisions(session, path, "photos/")    one net in 32, 16 and 8 bits on the same pictures
"""

from darter.quantize.compare import Difference, Score, difference, points_lost, score
from darter.quantize.energy import bit_operations
from darter.quantize.file import (
    MOST_DROP,
    Wish,
    about,
    quantize,
    quantize_file,
    side_by_side,
    times,
)
from darter.quantize.net import FloatNet, Settings, read_float_net
from darter.quantize.pictures import CALIBRATE, HELD, Pictures, gather, prepared
from darter.quantize.precisions import FORMATS, Form, compare_files, compare_precisions
from darter.quantize.ranges import METHODS, Observed
from darter.quantize.search import Chosen, Sensitive, Tried, choose, noise
from darter.quantize.steps import Range, Steps
from darter.quantize.weights import Filters, quantized_filters

__all__ = [
    "CALIBRATE",
    "FORMATS",
    "HELD",
    "METHODS",
    "MOST_DROP",
    "Chosen",
    "Difference",
    "Filters",
    "FloatNet",
    "Form",
    "Observed",
    "Pictures",
    "Range",
    "Score",
    "Sensitive",
    "Settings",
    "Steps",
    "Tried",
    "Wish",
    "about",
    "bit_operations",
    "choose",
    "compare_files",
    "compare_precisions",
    "difference",
    "gather",
    "noise",
    "points_lost",
    "prepared",
    "quantize",
    "quantize_file",
    "quantized_filters",
    "read_float_net",
    "score",
    "side_by_side",
    "times",
]
