"""Records in, tables and one HTML page out. Needs neither torch nor the pictures themselves.

print(table(records))          rows of dicts or dataclasses as a table for the terminal
write_html("RUN")              RUN/report.html from the JSON records of a training run
"""

from darter.report.html import write_html
from darter.report.table import table

__all__ = ["table", "write_html"]
