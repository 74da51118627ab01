"""Waiting for the end of a job, and no longer than the caller likes."""

import asyncio
import threading
import time

import pytest
import tailrace_client.sync_transport
import tailrace_client.transport
from support.broker import pick_ports
from support.shells import Shell
from tailrace_client import JobState
from tailrace_client.testing import (
    Play,
    ScriptedEdge,
    answer,
    closing,
    drop,
    gap,
    heartbeat,
    job_event,
    problem,
    silence,
    stream,
)
from tailrace_client.testing.server import Peer


def beat() -> Play:
    """Send heartbeats without end: bytes come all the time, and nothing with them."""

    async def play(peer: Peer) -> None:
        while True:
            await heartbeat()(peer)
            await asyncio.sleep(0.01)

    return play


@pytest.fixture
def waiting(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell whose waits between two attempts take their time."""
    monkeypatch.setattr(tailrace_client.transport, "sleep", asyncio.sleep)
    monkeypatch.setattr(tailrace_client.sync_transport, "sleep", time.sleep)
    return shell


NEVER = {
    "unknown": [stream()],
    "lost": [stream(job_event("7", "worker_lost", done=1))],
    "busy": [stream(job_event("7", done=1), beat())],
    "silent": [silence()],
    "moving": [stream(closing("drain", 3_600_000))],
    "refusing": [problem(503, retry_after=3600)],
    "dropping": [drop()] * 100,
}


@pytest.mark.parametrize("name", NEVER)
def test_a_job_that_does_not_end_in_time(waiting: Shell, name: str) -> None:
    """However the edge puts it off, and though the client would wait for an hour: nothing is left behind."""
    before = threading.active_count()
    with ScriptedEdge(NEVER[name]) as edge:
        with pytest.raises(TimeoutError, match=r"the job jobs\.7 has not ended in 0\.3 s"):
            waiting.ask(edge.url, lambda client: client.job("7").finished(timeout=0.3), timeout=3600)
        edge.wait_left(len(edge.requests))
    assert threading.active_count() == before


def test_no_edge_at_all(waiting: Shell) -> None:
    """Nobody answers."""
    [port] = pick_ports(1)
    with pytest.raises(TimeoutError, match="has not ended"):
        waiting.ask(f"http://127.0.0.1:{port}", lambda client: client.job("7").finished(timeout=0.3))


def test_a_job_that_ends_in_time(shell: Shell) -> None:
    """Nothing is different then, also over a lost connection."""
    script = [stream(job_event("7", done=1), drop()), stream(job_event("7", "failed", done=2))]
    with ScriptedEdge(script) as edge:
        ended: JobState = shell.ask(
            edge.url, lambda client: client.job("7").finished(timeout=3600), backoff_base=0.001, timeout=3600
        )
    assert (ended.status, ended.done) == ("failed", 2)


def test_after_a_gap_the_state_is_read(shell: Shell) -> None:
    """Its end may be what is missing."""
    state = {"id": "7", "status": "complete", "done": 3}
    with ScriptedEdge([stream(job_event("7", done=1), gap(2, 9)), answer(state)]) as edge:
        ended: JobState = shell.ask(edge.url, lambda client: client.job("7").finished(timeout=3600))
    assert (ended.status, ended.done) == ("complete", 3)
