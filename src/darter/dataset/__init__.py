"""Many pictures and their labels: find them, check them, split them, pack them, load them."""

from darter.dataset.audit import Audit, Conflict, Finding, Scanned
from darter.dataset.batch import Batch
from darter.dataset.box_loader import NO_BOX, BoxLoader, BoxViews, as_table
from darter.dataset.boxes import Box, Boxes, Captions
from darter.dataset.cache import PictureCache, default_bytes
from darter.dataset.check_boxes import check_target, overlaps
from darter.dataset.cold import forget_file, read_cold
from darter.dataset.loader import Divide, Loader
from darter.dataset.own_split import data_of, is_run, run_of, run_parts, run_samples
from darter.dataset.pack import Packed, pack
from darter.dataset.packed import open_pack
from darter.dataset.reading import check_unchanged
from darter.dataset.sample import Sample, task_of
from darter.dataset.samples import (
    Listing,
    check_listing,
    find_samples,
    list_samples,
    survey_samples,
)
from darter.dataset.scan import scan
from darter.dataset.shrink import content_of
from darter.dataset.split import Split, check_audit, check_enough, folds, groups_of, split
from darter.dataset.statistics import PixelStatistics, pixel_statistics
from darter.dataset.strangers import UNKNOWN, without_strangers

__all__ = [
    "NO_BOX",
    "UNKNOWN",
    "Audit",
    "Batch",
    "Box",
    "BoxLoader",
    "BoxViews",
    "Boxes",
    "Captions",
    "Conflict",
    "Divide",
    "Finding",
    "Listing",
    "Loader",
    "Packed",
    "PictureCache",
    "PixelStatistics",
    "Sample",
    "Scanned",
    "Split",
    "as_table",
    "check_audit",
    "check_enough",
    "check_listing",
    "check_target",
    "check_unchanged",
    "content_of",
    "data_of",
    "default_bytes",
    "find_samples",
    "folds",
    "forget_file",
    "groups_of",
    "is_run",
    "list_samples",
    "open_pack",
    "overlaps",
    "pack",
    "pixel_statistics",
    "read_cold",
    "run_of",
    "run_parts",
    "run_samples",
    "scan",
    "split",
    "survey_samples",
    "task_of",
    "without_strangers",
]
