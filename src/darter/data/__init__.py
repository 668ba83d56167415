"""Pictures: find, scan, split, decode, augment and load them. Pillow loads on first decode."""

from darter.data.audit import Audit, Conflict, Finding, Scanned
from darter.data.augment import SETS, TRANSFORMS, Augment
from darter.data.batch import Batch
from darter.data.cache import PictureCache
from darter.data.color import jitter, pca_noise
from darter.data.decode import MAX_PIXELS, Picture, PictureError, decode
from darter.data.encoded import Encoded, open_pixels
from darter.data.geometry import (
    area_crop,
    erase,
    flip,
    lens,
    perspective,
    rotate,
    scale_crop,
    shear,
    stretch,
    translate,
)
from darter.data.kinds import KINDS, Kind
from darter.data.loader import Loader
from darter.data.pack import Packed, pack
from darter.data.preprocess import Preprocess
from darter.data.sample import Sample
from darter.data.samples import Listing, find_samples, list_samples
from darter.data.scan import scan
from darter.data.split import Split, folds, groups_of, split
from darter.data.statistics import PixelStatistics, pixel_statistics
from darter.data.views import Views, views
from darter.data.warp import Warp, apply

__all__ = [
    "KINDS",
    "MAX_PIXELS",
    "SETS",
    "TRANSFORMS",
    "Audit",
    "Augment",
    "Batch",
    "Conflict",
    "Encoded",
    "Finding",
    "Kind",
    "Listing",
    "Loader",
    "Packed",
    "Picture",
    "PictureCache",
    "PictureError",
    "PixelStatistics",
    "Preprocess",
    "Sample",
    "Scanned",
    "Split",
    "Views",
    "Warp",
    "apply",
    "area_crop",
    "decode",
    "erase",
    "find_samples",
    "flip",
    "folds",
    "groups_of",
    "jitter",
    "lens",
    "list_samples",
    "open_pixels",
    "pack",
    "pca_noise",
    "perspective",
    "pixel_statistics",
    "rotate",
    "scale_crop",
    "scan",
    "shear",
    "split",
    "stretch",
    "translate",
    "views",
]
