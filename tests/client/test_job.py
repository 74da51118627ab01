"""Jobs: cancelling them, what becomes of that, and the statuses that are no end."""

import asyncio
from typing import Any

import pytest
from support.scripted_edge import time_out
from support.shells import Shell
from tailrace_client import Client, JobEnded, JobStatus, NoWorker
from tailrace_client.testing import ScriptedEdge, answer, drop, event_id, job_event, problem, silence, stream
from tailrace_protocol.errors import EdgeRefused, EdgeUnavailable, NotFound

TAKEN = {"id": "import 42", "topic": "users.jane/1.jobs.import%2042"}


def test_cancel(shell: Shell) -> None:
    """Once the worker has heard it, the call returns."""
    with ScriptedEdge([answer(TAKEN, 202)]) as edge:
        assert shell.ask(edge.url, lambda client: client.job("import 42", user="jane/1").cancel()) is None

        [request] = edge.requests
        assert (request.method, request.target) == ("POST", "/v1/acme/jobs/import%2042/cancel?user=jane%2F1")
        assert request.body == b""


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (409, "job-ended", JobEnded),
        (409, "no-worker", NoWorker),
        (404, "no-such-job", NotFound),
        (403, "forbidden", EdgeRefused),
    ],
)
def test_cancel_that_comes_to_nothing(shell: Shell, status: int, kind: str, error: type[EdgeRefused]) -> None:
    """Each reason has its error, with what the edge says."""
    with ScriptedEdge([problem(status, kind, "because of this")]) as edge:
        with pytest.raises(error, match="because of this") as caught:
            shell.ask(edge.url, lambda client: client.job("7").cancel())

        assert type(caught.value) is error
        assert caught.value.status == status


def test_cancel_is_sent_again(shell: Shell) -> None:
    """Telling a worker twice does no harm: when one edge fails, the next one is asked."""
    with ScriptedEdge([drop()]) as one, ScriptedEdge([problem(503)]) as two, ScriptedEdge([answer(TAKEN, 202)]) as good:
        shell.ask([one.url, two.url, good.url], lambda client: client.job("7").cancel())
        assert len(good.requests) == 1
    with ScriptedEdge([problem(503)]) as edge, pytest.raises(EdgeUnavailable):
        shell.ask(edge.url, lambda client: client.job("7").cancel())


def test_a_job_that_was_cancelled_ends_so(shell: Shell) -> None:
    """`finished` returns however it ended; on the way the state says that the worker has heard it."""
    script = [
        stream(
            job_event("7", done=1),
            job_event("7", done=1, cancelling=True),
            job_event("7", "cancelled", done=2, cancelling=True),
        )
    ]
    with ScriptedEdge(script * 2) as edge:
        states = shell.ask(edge.url, lambda client: client.job("7").watch())
        finished = shell.ask(edge.url, lambda client: client.job("7").finished())

        assert [(state.status, state.cancelling) for state in states] == [
            ("running", False),
            ("running", True),
            ("cancelled", True),
        ]
        assert finished == states[-1]


def test_retries_and_lost_workers_are_no_end(shell: Shell) -> None:
    """The watching goes on through them; whoever shows a job can tell."""
    script = stream(
        job_event("7", done=1, attempt=1),
        job_event("7", "retrying", done=1, attempt=1),
        job_event("7", attempt=2),
        job_event("7", "worker_lost", attempt=2),
        job_event("7", done=5, attempt=2),
        job_event("7", "complete", done=9, attempt=2),
    )
    with ScriptedEdge([script, script]) as edge:
        states = shell.ask(edge.url, lambda client: client.job("7").watch())
        finished = shell.ask(edge.url, lambda client: client.job("7").finished())

        assert [state.status for state in states] == [
            JobStatus.RUNNING,
            JobStatus.RETRYING,
            JobStatus.RUNNING,
            JobStatus.WORKER_LOST,
            JobStatus.RUNNING,
            JobStatus.COMPLETE,
        ]
        assert finished.attempt == 2


def test_a_job_that_ended_long_ago(shell: Shell) -> None:
    """Its newest event is its end, which is all that comes: the answer is there at once."""
    with ScriptedEdge([stream(job_event("7", "failed", done=3), silence())]) as edge:
        finished = shell.ask(edge.url, lambda client: client.job("7").finished())

        assert (finished.status, finished.done) == ("failed", 3)
        assert edge.requests[0].query == [("topic", "jobs.7"), ("from", "last"), ("until", "terminal")]


async def test_waiting_for_a_job_that_nobody_knows_can_be_bounded() -> None:
    """It may be yet to come; how long to wait is the caller's to say."""
    with ScriptedEdge([stream()]) as edge:
        async with Client(edge.url, tenant="acme") as client:
            with pytest.raises(TimeoutError):
                await time_out(edge, client.job("7").finished())
            await asyncio.to_thread(edge.wait_left, 1)


def test_a_job_is_found_again_after_each_loss(shell: Shell) -> None:
    """However often the connection breaks, each state comes once."""
    script = [stream(job_event("7", done=number), drop()) for number in range(5)]
    script.append(stream(job_event("7", "complete", done=5)))
    with ScriptedEdge(script) as edge:
        states: list[Any] = shell.ask(edge.url, lambda client: client.job("7").watch())

        assert [state.done for state in states] == [0, 1, 2, 3, 4, 5]
        assert [request.last_event_id for request in edge.requests][1:] == [event_id(number) for number in range(1, 6)]
