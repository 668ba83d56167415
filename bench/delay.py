"""A cable between two network namespaces that holds every packet back, without netem.

    sudo python bench/delay.py 20 SPACE SPACE     # ms; each gets a device darter0

Packets go from one TUN device to the other through this process. `bench/links.py` starts it.
"""

import ctypes
import fcntl
import os
import struct
import sys
import threading
import time
from pathlib import Path
from queue import SimpleQueue

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
NAME = b"darter0"


def device(space: str) -> int:
    """A TUN device in a namespace, as a file descriptor."""
    with Path(f"/var/run/netns/{space}").open() as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter namespace {space}")
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", NAME, IFF_TUN | IFF_NO_PI))
    return descriptor


def carry(source: int, sink: int, seconds: float) -> None:
    """Pass packets on, each so many seconds after it came; two threads."""
    waiting: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def read() -> None:
        while True:
            try:
                packet = os.read(source, 65536)
            except OSError:  # the device is down
                time.sleep(0.01)
                continue
            waiting.put((time.monotonic() + seconds, packet))

    def write() -> None:
        while True:
            due, packet = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                os.write(sink, packet)
            except OSError:
                continue

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()


def main() -> None:
    delay, *spaces = sys.argv[1:]
    first, second = (device(space) for space in spaces)
    carry(first, second, float(delay) / 1000)
    carry(second, first, float(delay) / 1000)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
