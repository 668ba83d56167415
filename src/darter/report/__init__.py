"""Records in, tables and one HTML page out. Needs no torch.

print(table(records))          rows of dicts or dataclasses as a table for the terminal
write_html("RUN")              RUN/report.html from the JSON records of a training run
write_evaluation(record, out)  a page about one evaluation, with its worst mistakes
write_detections(record, out)  the same of a detector, with boxes drawn
write_analysis(record, out)    a page about what a net costs and sees
write_precisions(record, out)  a page about a model in several precisions
"""

from darter.report.analyzed import sees, write_analysis
from darter.report.evaluated import write_detections, write_evaluation
from darter.report.html import write_html, write_precisions
from darter.report.sections import precision_notes
from darter.report.table import table
from darter.report.words import paired_change

__all__ = [
    "paired_change",
    "precision_notes",
    "sees",
    "table",
    "write_analysis",
    "write_detections",
    "write_evaluation",
    "write_html",
    "write_precisions",
]
