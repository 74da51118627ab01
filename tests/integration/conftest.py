"""An edge that remembers little, and one that asks for tokens."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.broker import Broker
from support.edge import EdgeProcess
from support.guarded_edge import PAGE, PUBLIC, SECRET, TICKET_SECRET


@pytest.fixture
async def small(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    """An edge whose tail holds some tens of events."""
    async with EdgeProcess(broker.url, tmp_path / "small", tail_bytes=40_000) as edge:
        yield edge


@pytest.fixture
async def guarded(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    """An edge that takes tokens signed with the secret, or with the RSA key, in headers, a cookie, and tickets."""
    key = tmp_path / "key.pem"
    key.write_bytes(PUBLIC)
    async with EdgeProcess(
        broker.url,
        tmp_path / "edge",
        auth="jwt",
        jwt_secret=SECRET,
        jwt_key_files=key,
        jwt_issuers="https://id.example",
        jwt_audience="tailrace",
        jwt_leeway=0,
        auth_cookie="session",
        ticket_secret=TICKET_SECRET,
        cors_origins=PAGE,
        max_body_bytes=1 << 20,
    ) as edge:
        yield edge
