"""An edge that remembers little."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.broker import Broker
from support.edge import EdgeProcess


@pytest.fixture
async def small(broker: Broker, tmp_path: Path) -> AsyncIterator[EdgeProcess]:
    """An edge whose tail holds some tens of events."""
    async with EdgeProcess(broker.url, tmp_path / "small", tail_bytes=40_000) as edge:
        yield edge
