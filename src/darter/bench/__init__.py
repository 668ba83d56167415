"""This machine measured: convolutions by every algorithm, whole nets beside other runtimes.

time_layers, time_sequence     convolutions: per layer and algorithm, and all in sequence
time_gradients                 the two gradients of convolutions, beside PyTorch's
compare(case, ...)             one net by several runtimes, each in a process of its own
compare_training(net, ...)     training steps of one net, beside PyTorch's
append_records(file, ...)      rows kept as JSON lines, each with its machine
"""

from darter.bench.convolutions import limit, net_layers, time_layers, time_sequence
from darter.bench.exports import NETS, PICTURES, batches_of, given_net, quantized_net, random_net
from darter.bench.gradients import GradientRow, time_gradients
from darter.bench.nets import PEERS, SLOW, Case, Comparison, RuntimeRow, compare
from darter.bench.plot import plot_speedups
from darter.bench.records import append_records, check_appendable
from darter.bench.training import (
    TRAINED,
    TRAINERS,
    TrainingComparison,
    TrainingRow,
    check_trained,
    compare_training,
)

__all__ = [
    "NETS",
    "PEERS",
    "PICTURES",
    "SLOW",
    "TRAINED",
    "TRAINERS",
    "Case",
    "Comparison",
    "GradientRow",
    "RuntimeRow",
    "TrainingComparison",
    "TrainingRow",
    "append_records",
    "batches_of",
    "check_appendable",
    "check_trained",
    "compare",
    "compare_training",
    "given_net",
    "limit",
    "net_layers",
    "plot_speedups",
    "quantized_net",
    "random_net",
    "time_gradients",
    "time_layers",
    "time_sequence",
]
