"""A cluster's address is checked before Ray tries for minutes."""

import socket
from contextlib import closing

import pytest

from darter.cluster.start import check_reachable
from darter.errors import OptionError


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "ray://head:6379", "head:ssh"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(OptionError, match="expected HOST:PORT of the cluster's head, or auto"):
        check_reachable(address)


def test_an_address_where_nothing_listens_is_refused_at_once():
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        check_reachable(address)
    with pytest.raises(OptionError, match=r"no Ray cluster answers there .* ray start --head"):
        check_reachable(address)
    check_reachable("auto")  # Ray looks for it
