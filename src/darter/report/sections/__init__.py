"""What each section of the page says: from records to the values that its template names.

A section returns {"missing": sentence} where its record is absent, else {"missing": None, …};
{"absent": True} leaves it out of the page.
Figures are taken from the records as they are; here they are only sorted, grouped and counted.
"""

from darter.report.sections.arranged import arranged
from darter.report.sections.averaging import averaging
from darter.report.sections.caption import (
    caption_gallery,
    caption_limits,
    caption_scores,
    caption_speed,
    caption_use,
)
from darter.report.sections.classes import classes, confusion
from darter.report.sections.confidence import confidence
from darter.report.sections.detect import (
    detect_classes,
    detect_limits,
    detect_misses,
    detect_speed,
    detect_use,
)
from darter.report.sections.facts import limits, making
from darter.report.sections.head import result
from darter.report.sections.labels import labels
from darter.report.sections.mistakes import mistakes
from darter.report.sections.pictures import pictures, split
from darter.report.sections.precisions import of_record, precision_notes, precisions
from darter.report.sections.race import cell, growth, race
from darter.report.sections.speed import speed
from darter.report.sections.training import training
from darter.report.sections.use import use

__all__ = [
    "arranged",
    "averaging",
    "caption_gallery",
    "caption_limits",
    "caption_scores",
    "caption_speed",
    "caption_use",
    "cell",
    "classes",
    "confidence",
    "confusion",
    "detect_classes",
    "detect_limits",
    "detect_misses",
    "detect_speed",
    "detect_use",
    "growth",
    "labels",
    "limits",
    "making",
    "mistakes",
    "of_record",
    "pictures",
    "precision_notes",
    "precisions",
    "race",
    "result",
    "speed",
    "split",
    "training",
    "use",
]
