"""The connection of `tailrace init`, which gives up after a while."""

import asyncio
import contextlib

import pytest
from tailrace_edge import creation
from tailrace_edge.jetstream import JetStreamUnavailable


class Stubborn:
    """A connection that takes cancellations for failures, as nats-py does now and then, and tries again."""

    hosts = ("a:1", "b:2")
    trouble = "the broker has no TLS"

    async def connect(self) -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await asyncio.Event().wait()


async def test_it_gives_up_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "JetStream", lambda *_args, **_options: Stubborn())
    monkeypatch.setattr(creation, "_PATIENCE", 0)
    with pytest.raises(JetStreamUnavailable, match="no broker answers at a:1, b:2: the broker has no TLS"):
        await creation.create_stream("nats://a:1")
