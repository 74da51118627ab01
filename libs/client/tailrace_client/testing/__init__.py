"""A scripted edge, for tests of programs that use Tailrace's clients: real HTTP on loopback, and no broker.

    def test_progress_is_shown():
        script = [
            stream(job_event("import-42", done=1), drop()),
            problem(503, retry_after=0),
            stream(job_event("import-42", "complete", done=2)),
        ]
        with ScriptedEdge(script) as edge, SyncClient(edge.url, tenant="acme", backoff_base=0.01) as client:
            assert client.job("import-42").finished().done == 2
            assert [request.last_event_id for request in edge.requests] == [None, event_id(1), event_id(1)]

The i-th connection gets the i-th answer. It needs no pytest, and works beside asyncio: it runs in a thread of its own.
"""

from tailrace_client.testing.script import (
    answer,
    challenge,
    closing,
    drop,
    event,
    event_id,
    finished,
    gap,
    heartbeat,
    job_event,
    problem,
    raw,
    reset,
    silence,
    stream,
    unauthorized,
    when,
)
from tailrace_client.testing.server import Peer, Play, Request, ScriptedEdge

__all__ = [
    "Peer",
    "Play",
    "Request",
    "ScriptedEdge",
    "answer",
    "challenge",
    "closing",
    "drop",
    "event",
    "event_id",
    "finished",
    "gap",
    "heartbeat",
    "job_event",
    "problem",
    "raw",
    "reset",
    "silence",
    "stream",
    "unauthorized",
    "when",
]
