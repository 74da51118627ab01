"""Where an edge says that it listens."""

import socket
from pathlib import Path

import pytest
from support.broker import Broker
from support.edge import EdgeProcess


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_is_logged_as_it_is_asked_for(broker: Broker, tmp_path: Path) -> None:
    edge = EdgeProcess(broker.url, tmp_path / "edge", host="::1")
    edge.url = f"http://[::1]:{edge.port}"
    async with edge:
        assert edge.read_log()[0]["url"] == edge.url
