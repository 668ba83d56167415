"""This machine among others: its address towards them, and its share of the cores."""

import socket
import struct

from darter.machine import available_cpus

LOOPBACK = "127.0.0.1"
_SIOCGIFADDR = 0x8915  # Linux: the address of an interface


def threads_of(processes: int) -> int | str:
    """Threads for each of so many processes on this machine, as a recipe's `threads`."""
    return max(1, available_cpus() // processes) if processes > 1 else "auto"


def interface_of(address: str) -> str:
    """The name of the network interface that has this IPv4 address, or ""."""
    import fcntl  # only where there are such names

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                found = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:  # an interface without an address
                continue
            if socket.inet_ntoa(found[20:24]) == address:
                return name
    return ""


def listen(address: str) -> socket.socket:
    """A listening socket on a free port of this address only."""
    return socket.create_server((address, 0), backlog=128)
