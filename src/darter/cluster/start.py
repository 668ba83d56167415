"""Ray, on loopback or the cluster that a user names."""

import os
import secrets
import socket
import sys
from typing import Any

from darter.cluster.network import LOOPBACK
from darter.errors import MissingExtraError, OptionError
from darter.extras import install_line
from darter.machine import available_cpus

CONNECT_SECONDS = 5.0
HOW = (
    f"needs Ray: {install_line('distributed')}. On one machine, "
    "torchrun --nproc-per-node N -m darter train … does without it"
)


def start_ray(workers: int, address: str | None) -> Any:
    """The module `ray`, connected to a cluster, or to a new Ray on loopback.

    Its tokens are on, its reports of use to its makers are off.
    """
    if "ray" not in sys.modules:  # which reads it once
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(f"training on several machines or processes {HOW}.") from error
    if ray.is_initialized():
        return ray
    from ray._private import worker

    # Ray says on stdout, amid a command's rows, that a worker has died; darter says it itself.
    worker._worker_logs_enabled = False  # type: ignore[attr-defined,unused-ignore]  # no public one
    quiet: dict[str, Any] = {
        "logging_level": "ERROR",
        "log_to_driver": False,
        "namespace": f"darter-{secrets.token_hex(8)}",
    }
    if address is None:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # for this Ray only
        ray.init(
            address="local", include_dashboard=False, num_cpus=max(workers, available_cpus()),
            object_store_memory=256 << 20, _node_ip_address=LOOPBACK, **quiet,
        )  # fmt: skip
        return ray
    check_reachable(address)
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, first_line(error)) from error
    return ray


def check_reachable(address: str) -> None:
    """Raise OptionError where nothing listens at HOST:PORT; Ray itself tries for minutes."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal()) or "/" in host:
        raise OptionError(
            f"--cluster {address}: expected HOST:PORT of the cluster's head, or auto."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, first_line(error)) from error


def _no_cluster(address: str, why: str) -> OptionError:
    return OptionError(
        f"--cluster {address}: no Ray cluster answers there ({why}). Start one with "
        "ray start --head; where one runs, this machine needs its token (~/.ray/auth_token)."
    )


def first_line(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def machines_of(ray: Any) -> list[tuple[str, str, str]]:
    """(id, address, host) of each machine, this one first."""
    own = ray.util.get_node_ip_address()
    found = [
        (n["NodeID"], n["NodeManagerAddress"], n["NodeManagerHostname"])
        for n in ray.nodes()
        if n["Alive"]
    ]
    return sorted(found, key=lambda node: (node[1] != own, node[1]))
