"""Work that is parallel by nature, on several processes or machines, placed by Ray.

for rows in spread(open_model, chunks, workers=4): …     # in the order of the chunks, each once
"""

from darter.cluster.network import LOOPBACK, interface_of, listen, threads_of
from darter.cluster.pool import Asked, Pool, Workers
from darter.cluster.spread import in_chunks, spread
from darter.cluster.start import first_line, machines_of, start_ray

__all__ = [
    "LOOPBACK",
    "Asked",
    "Pool",
    "Workers",
    "first_line",
    "in_chunks",
    "interface_of",
    "listen",
    "machines_of",
    "spread",
    "start_ray",
    "threads_of",
]
