"""Pictures: find, scan, split, decode, augment and load them. Pillow loads on first decode."""

from darter.data.audit import Audit, Conflict, Finding, Scanned
from darter.data.decode import MAX_PIXELS, Picture, PictureError, decode
from darter.data.kinds import KINDS, Kind
from darter.data.sample import Sample
from darter.data.samples import Listing, find_samples
from darter.data.scan import scan
from darter.data.split import Split, folds, groups_of, split
from darter.data.statistics import PixelStatistics, pixel_statistics

__all__ = [
    "KINDS",
    "MAX_PIXELS",
    "Audit",
    "Conflict",
    "Finding",
    "Kind",
    "Listing",
    "Picture",
    "PictureError",
    "PixelStatistics",
    "Sample",
    "Scanned",
    "Split",
    "decode",
    "find_samples",
    "folds",
    "groups_of",
    "pixel_statistics",
    "scan",
    "split",
]
