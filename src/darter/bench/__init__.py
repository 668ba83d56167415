"""This machine measured: convolutions by every algorithm, whole nets beside other runtimes.

time_layers, time_sequence     convolutions: per layer and algorithm, and all in sequence
compare(case, ...)             one net by several runtimes, each in a process of its own
append_records(file, ...)      rows kept as JSON lines, each with its machine
"""

from darter.bench.convolutions import limit, net_layers, time_layers, time_sequence
from darter.bench.nets import Case, Comparison, RuntimeRow, compare
from darter.bench.records import append_records, check_appendable

__all__ = [
    "Case",
    "Comparison",
    "RuntimeRow",
    "append_records",
    "check_appendable",
    "compare",
    "limit",
    "net_layers",
    "time_layers",
    "time_sequence",
]
