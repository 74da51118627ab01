"""Calls that are answered in JSON, on real sockets, with both clients."""

import logging
from typing import Any

import msgspec
import pytest
from support.broker import pick_ports
from support.scripted_edge import (
    STREAM_HEAD,
    TIME,
    Play,
    ScriptedEdge,
    format_id,
    send,
    send_and_hold,
    write_answer,
    write_control,
    write_event,
    write_open,
    write_problem,
)
from support.shells import Shell
from tailrace_client import JobState, JobStatus
from tailrace_protocol.control import Gap, GapReason
from tailrace_protocol.errors import (
    EdgeRefused,
    EdgeUnavailable,
    EventTooLarge,
    InvalidData,
    InvalidInput,
    InvalidTopic,
    MalformedStream,
    NotFound,
)


def answer(body: Any, status: int = 200) -> Play:
    return send(write_answer(status, body))


def event(sequence: int, topic: str = "a.b") -> dict[str, Any]:
    return {"id": format_id(sequence), "topic": topic, "type": "message", "time": TIME, "data": sequence}


def state(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "import 42", "status": status, **fields}


def test_topic(shell: Shell) -> None:
    """The newest event of a topic, whose name is encoded in the path."""
    with ScriptedEdge([answer(event(3, "a.Jane%20Doe"))]) as edge:
        newest = shell.ask(edge.url, lambda client: client.topic("a.Jane%20Doe"), token="secret")

        assert (newest.id, newest.data) == (format_id(3), 3)
        assert edge.requests[0].target == "/v1/acme/topics/a.Jane%2520Doe"
        assert edge.requests[0].headers["authorization"] == "Bearer secret"


def test_topic_that_is_not_there(shell: Shell) -> None:
    """404 is NotFound, with what the edge says."""
    with (
        ScriptedEdge([send(write_problem(404, "Not found", "no event on a.b"))]) as edge,
        pytest.raises(NotFound, match=r"no event on a\.b"),
    ):
        shell.ask(edge.url, lambda client: client.topic("a.b"))


def test_last_reads_all_pages(shell: Shell) -> None:
    """All pages come as one list; the cursor is that of the first, for the others may be newer."""
    pages = [
        {"events": [event(1), event(2)], "cursor": format_id(10), "next": "p2"},
        {"events": [], "cursor": format_id(11), "next": "p3"},
        {"events": [event(7)], "cursor": format_id(12), "next": None},
    ]
    with ScriptedEdge([answer(page) for page in pages]) as edge:
        snapshot = shell.ask(edge.url, lambda client: client.last("users.*.>"))

        assert [newest.data for newest in snapshot] == [1, 2, 7]
        assert snapshot.cursor == format_id(10)
        assert [request.path for request in edge.requests] == ["/v1/acme/topics"] * 3
        assert [request.query for request in edge.requests] == [
            [("match", "users.*.>")],
            [("match", "users.*.>"), ("page", "p2")],
            [("match", "users.*.>"), ("page", "p3")],
        ]


def test_history_goes_on_to_the_head(shell: Shell) -> None:
    """Pages follow each other from id to id."""
    pages = [{"events": [event(1), event(2)], "next": format_id(2)}, {"events": [event(3)], "next": None}]
    with ScriptedEdge([answer(page) for page in pages]) as edge:
        events = shell.ask(edge.url, lambda client: client.history("a.>", "b", start="-1h"))

        assert [stored.data for stored in events] == [1, 2, 3]
        assert [request.query for request in edge.requests] == [
            [("topic", "a.>"), ("topic", "b"), ("from", "-1h")],
            [("topic", "a.>"), ("topic", "b"), ("from", format_id(2))],
        ]


def test_history_stops_at_its_limit(shell: Shell) -> None:
    """The limit is for all pages together, and no page is asked for beyond it."""
    pages = [
        {"events": [event(1), event(2)], "next": format_id(2)},
        {"events": [event(3), event(4)], "next": format_id(4)},
    ]
    with ScriptedEdge([answer(page) for page in pages]) as edge:
        events = shell.ask(edge.url, lambda client: client.history("a.>", limit=3))

        assert [stored.data for stored in events] == [1, 2, 3]
        assert [dict(request.query)["limit"] for request in edge.requests] == ["3", "1"]


def test_history_says_where_events_are_gone(shell: Shell) -> None:
    """A gap stands before the events of the page that told of it."""
    gap = {"from": format_id(3), "to": format_id(6)}
    pages = [
        {"events": [event(1), event(2)], "next": format_id(2), "gap": None},
        {"events": [event(7)], "next": None, "gap": gap},
    ]
    with ScriptedEdge([answer(page) for page in pages]) as edge:
        items = shell.ask(edge.url, lambda client: client.history("a.>"))

        assert items[2] == Gap(format_id(3), format_id(6), GapReason.RETENTION)
        assert [items[0].data, items[1].data, items[3].data] == [1, 2, 7]


def test_publish(shell: Shell) -> None:
    """The event goes as JSON, with the message id as idempotency key; its id comes back."""
    with ScriptedEdge([answer({"ids": [format_id(9)]}), answer({"ids": [format_id(10)]}, 201)]) as edge:
        first = shell.ask(edge.url, lambda client: client.publish("a.b", {"n": 1}))
        second = shell.ask(edge.url, lambda client: client.publish("a.b", type="warning", message_id="m-1"))

        assert (first, second) == (format_id(9), format_id(10))
        assert [request.method for request in edge.requests] == ["POST", "POST"]
        assert edge.requests[0].headers["content-type"] == "application/json"
        assert msgspec.json.decode(edge.requests[0].body) == {"topic": "a.b", "type": "message", "data": {"n": 1}}
        assert msgspec.json.decode(edge.requests[1].body) == {"topic": "a.b", "type": "warning", "data": None}
        assert edge.requests[1].headers["idempotency-key"] == "m-1"
        assert "idempotency-key" not in edge.requests[0].headers


@pytest.mark.parametrize(
    ("topic", "data", "error"),
    [
        ("a..b", 1, InvalidTopic),
        ("a.>", 1, InvalidTopic),
        ("a", object(), InvalidData),
        ("a", "x" * 70_000, EventTooLarge),
    ],
)
def test_wrong_events_are_not_sent(shell: Shell, topic: str, data: Any, error: type[Exception]) -> None:
    """What the protocol does not allow is refused before anything is sent."""
    with ScriptedEdge() as edge:
        with pytest.raises(error):
            shell.ask(edge.url, lambda client: client.publish(topic, data))

        assert edge.requests == []


@pytest.mark.parametrize("message_id", ["", "a b", "ä", "a\r\nx: y", "x" * 129])
def test_wrong_message_ids_are_not_sent(shell: Shell, message_id: str) -> None:
    """What no edge takes, or no header carries, is refused before anything is sent."""
    with ScriptedEdge() as edge:
        with pytest.raises(InvalidInput, match="an event's id"):
            shell.ask(edge.url, lambda client: client.publish("a", 1, message_id=message_id))

        assert edge.requests == []


def test_delete(shell: Shell) -> None:
    """Topics and jobs are deleted by DELETE, and the tombstone's id comes back."""
    with ScriptedEdge([answer({"id": format_id(4)}), answer({"id": format_id(5)})]) as edge:
        assert shell.ask(edge.url, lambda client: client.delete("a.b")) == format_id(4)
        assert shell.ask(edge.url, lambda client: client.job("import 42", user="jane/1").delete()) == format_id(5)
        assert [(request.method, request.target) for request in edge.requests] == [
            ("DELETE", "/v1/acme/topics/a.b"),
            ("DELETE", "/v1/acme/jobs/import%2042?user=jane%2F1"),
        ]


def test_jobs(shell: Shell) -> None:
    """The states of jobs, narrowed to owner and status, over all pages."""
    pages = [
        {"jobs": [state("running", done=3, total=9)], "cursor": format_id(8), "next": "x"},
        {"jobs": [state("running")], "cursor": format_id(9), "next": None},
    ]
    with ScriptedEdge([answer(page) for page in pages]) as edge:
        jobs = shell.ask(edge.url, lambda client: client.jobs(user="7", status=JobStatus.RUNNING))

        assert [(job.id, job.done, job.total) for job in jobs] == [("import 42", 3, 9), ("import 42", 0, None)]
        assert jobs.cursor == format_id(8)
        assert edge.requests[0].target == "/v1/acme/jobs?user=7&status=running"
        assert edge.requests[1].query == [("user", "7"), ("status", "running"), ("page", "x")]


def test_job_state(shell: Shell) -> None:
    """One job's state."""
    with ScriptedEdge([answer(state("failed", error={"type": "ValueError", "message": "no"}))]) as edge:
        failed = shell.ask(edge.url, lambda client: client.job("import 42").state())

        assert isinstance(failed, JobState)
        assert failed.status.terminal
        assert failed.error is not None
        assert failed.error.message == "no"
        assert edge.requests[0].target == "/v1/acme/jobs/import%2042"


def test_watching_a_job(shell: Shell) -> None:
    """States come until the terminal one, through a lost connection; what is no state is passed over."""
    topic = "users.7.jobs.import%2042"
    frames = [
        write_event(1, topic=topic, type="progress", data=state("running", done=1)),
        write_event(2, topic=topic, type="log", data="a foreign line"),
        write_event(3, topic=topic, type="progress", data=state("running", done=2)),
        write_event(4, topic=topic, type="complete", data=state("complete", done=3)),
    ]
    plays = [
        send(STREAM_HEAD, write_open(None), *frames[:2]),
        send_and_hold(STREAM_HEAD, write_open(2), *frames[2:]),
    ]
    with ScriptedEdge(plays) as edge:
        states = shell.ask(edge.url, lambda client: client.job("import 42", user="7").watch())

        assert [(seen.done, seen.status) for seen in states] == [(1, "running"), (2, "running"), (3, "complete")]
        assert edge.requests[0].query == [("topic", topic), ("from", "last"), ("until", "terminal")]


def test_finished_waits_for_the_end(shell: Shell) -> None:
    """The terminal state is returned, be it a success or not."""
    frames = [
        write_event(1, type="progress", data=state("running")),
        write_event(2, type="cancelled", data=state("cancelled")),
    ]
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(None), *frames)]) as edge:
        assert shell.ask(edge.url, lambda client: client.job("import 42").finished()).status == "cancelled"


def test_watching_reads_anew_after_a_gap(shell: Shell) -> None:
    """Where events are gone, the state is asked for; if the job has ended, so has the watching."""
    gap = write_control(Gap(format_id(1), format_id(5), GapReason.RETENTION), 5)
    plays = [send_and_hold(STREAM_HEAD, write_open(0), gap), answer(state("complete"))]
    with ScriptedEdge(plays) as edge:
        states = shell.ask(edge.url, lambda client: client.job("import 42").watch())

        assert [seen.status for seen in states] == ["complete"]
        assert [request.path for request in edge.requests] == ["/v1/acme/events", "/v1/acme/jobs/import%2042"]


def test_watching_a_stream_that_is_finished_already(shell: Shell) -> None:
    """204 at once: the state is asked for."""
    plays = [send(write_answer(204)), answer(state("complete"))]
    with ScriptedEdge(plays * 2) as edge:
        states = shell.ask(edge.url, lambda client: client.job("import 42").watch())
        finished = shell.ask(edge.url, lambda client: client.job("import 42").finished())

        assert [seen.status for seen in states] == ["complete"]
        assert finished.status == "complete"


def test_watching_a_deleted_job(shell: Shell) -> None:
    """A tombstone ends the watching with NotFound."""
    tombstone = write_event(2, type="deleted", data={})
    with (
        ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(None), tombstone)]) as edge,
        pytest.raises(NotFound, match="deleted"),
    ):
        shell.ask(edge.url, lambda client: client.job("import 42").watch())


def test_next_edge_is_asked(shell: Shell) -> None:
    """Where one edge is away or overloaded, the next one is asked, and from then on it is the first."""
    [gone] = pick_ports(1)
    busy = ScriptedEdge([send(write_problem(503, "Draining", "go on"))])
    with busy, ScriptedEdge([answer(event(1)), answer(event(2))]) as good:

        def ask_twice(client: Any) -> Any:
            return [client.topic("a.b").data, client.topic("a.b").data] if shell.name == "sync" else ask_async(client)

        async def ask_async(client: Any) -> list[Any]:
            return [(await client.topic("a.b")).data, (await client.topic("a.b")).data]

        assert shell.ask([f"http://127.0.0.1:{gone}", busy.url, good.url], ask_twice) == [1, 2]
        assert len(busy.requests) == 1


def test_no_edge_answers(shell: Shell) -> None:
    """When all are away or overloaded, the error says so, and what the last one said."""
    busy = send(write_problem(503, "Draining", "go on"))
    with ScriptedEdge([busy]) as one, ScriptedEdge([busy]) as two:
        with pytest.raises(EdgeUnavailable, match="Draining: go on"):
            shell.ask([one.url, two.url], lambda client: client.topic("a.b"))

        assert (len(one.requests), len(two.requests)) == (1, 1)


def test_publish_is_not_doubled(shell: Shell) -> None:
    """An event that may have been stored is not sent again, unless its message id makes that harmless."""
    cut = send(b"HTTP/1.1 200 OK\r\ncontent-le")
    with ScriptedEdge([cut, cut]) as one, ScriptedEdge([answer({"ids": [format_id(1)]})]) as two:
        with pytest.raises(EdgeUnavailable, match="message_id"):
            shell.ask([one.url, two.url], lambda client: client.publish("a.b", 1))
        assert two.requests == []

        stored = shell.ask([one.url, two.url], lambda client: client.publish("a.b", 1, message_id="m"))
        assert stored == format_id(1)


def test_publish_goes_to_the_next_edge_if_it_was_not_sent(shell: Shell) -> None:
    """A refused connection has stored nothing."""
    [gone] = pick_ports(1)
    with ScriptedEdge([answer({"ids": [format_id(1)]})]) as edge:
        assert shell.ask([f"http://127.0.0.1:{gone}", edge.url], lambda client: client.publish("a.b", 1)) == format_id(
            1
        )


def test_slow_answer_is_given_up(shell: Shell) -> None:
    """An answer has `timeout` to come."""
    with ScriptedEdge([send_and_hold()]) as edge, pytest.raises(EdgeUnavailable, match="ReadTimeout"):
        shell.ask(edge.url, lambda client: client.topic("a.b"), timeout=2)


@pytest.mark.parametrize("body", [b"<html>", b'{"id":3}', b"\xff"])
def test_nonsense_is_raised(shell: Shell, body: bytes) -> None:
    """What no edge says is an error of its own."""
    with ScriptedEdge([send(write_answer(200, body))]) as edge, pytest.raises(MalformedStream):
        shell.ask(edge.url, lambda client: client.topic("a.b"))


def test_redirects(shell: Shell) -> None:
    """GET follows them; what changes something does not, for it might arrive as a GET."""
    with ScriptedEdge([answer(event(1))]) as other:
        moved = send(write_answer(301, location=f"{other.url}/v1/acme/topics/a.b"))
        with ScriptedEdge([moved, moved]) as edge:
            assert shell.ask(edge.url, lambda client: client.topic("a.b")).data == 1
            with pytest.raises(EdgeRefused, match="url="):
                shell.ask(edge.url, lambda client: client.publish("a.b", 1))


@pytest.mark.parametrize(
    "question",
    [lambda client: client.history("a", limit=0), lambda client: client.jobs(status="stuck")],
    ids=["limit", "status"],
)
def test_wrong_questions_are_refused(shell: Shell, question: Any) -> None:
    """Nothing is sent."""
    with ScriptedEdge() as edge:
        with pytest.raises(InvalidInput):
            shell.ask(edge.url, question)

        assert edge.requests == []


def test_token_is_in_no_log(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """Neither our log nor httpx's shows the token, at any level."""
    caplog.set_level(logging.DEBUG)
    plays = [send(write_problem(401, "No", "no")), send(STREAM_HEAD, write_open(0)), send(write_answer(204))]
    with ScriptedEdge(plays) as edge:
        with pytest.raises(EdgeRefused):
            shell.ask(edge.url, lambda client: client.topic("a.b"), token="s3cr3t")
        shell.watch(edge.url, settings={"token": "s3cr3t"})

        assert caplog.records
        assert "s3cr3t" not in caplog.text
