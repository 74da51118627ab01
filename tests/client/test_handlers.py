"""Handlers: who is called with what, in which order, and what becomes of their errors."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from support.shells import Shell
from tailrace_client import Client, Event, Gap, SyncClient
from tailrace_client.handlers import find_task_id
from tailrace_client.testing import ScriptedEdge, event, event_id, finished, gap, job_event, stream
from tailrace_protocol.errors import InvalidInput


def run(shell: Shell, edge: ScriptedEdge, register: Any, *patterns: str, **options: Any) -> None:
    def ask(client: Any) -> Any:
        register(client)
        if shell.name == "async":
            return client.run(*(patterns or ("a.>",)), **options)
        client.run(*(patterns or ("a.>",)), **options)
        return None

    shell.ask(edge.url, ask)


def test_handlers_are_called_by_type_and_task(shell: Shell) -> None:
    """Each gets what it asked for, in order; of a shared topic the data says the task, of a job's topic the topic."""
    seen: list[Any] = []
    script = stream(
        event("scans", {"task_id": "scan-1", "percent": 10}, type="progress"),
        event("scans", {"task_id": "scan-2", "percent": 50}, type="progress"),
        job_event("scan-1", done=3),
        job_event("scan-1", "complete", user="7", done=4),
        event("scans", "no task", type="message"),
        finished(),
    )
    with ScriptedEdge([script]) as edge:

        def register(client: Client | SyncClient) -> None:
            client.on("progress", lambda event: seen.append(("one", event.id)), task_id="scan-1")

            @client.on("progress")
            @client.on("complete", task_id="scan-1")
            def show(event: Event) -> None:
                seen.append(("two", event.id))

            client.on("*", lambda event: seen.append(("all", event.id)))

        run(shell, edge, register, "scans", ">")

    assert [number for who, number in seen if who == "all"] == [event_id(number) for number in range(1, 6)]
    assert [number for who, number in seen if who == "one"] == [event_id(1), event_id(3)]
    assert [number for who, number in seen if who == "two"] == [event_id(number) for number in (1, 2, 3, 4)]
    assert [who for who, number in seen if number == event_id(1)] == ["one", "two", "all"]


async def test_async_handlers_are_awaited_in_turn() -> None:
    """One event after the other: the second waits for the first one's handlers."""
    seen: list[Any] = []
    with ScriptedEdge([stream(event("a", 1), event("a", 2), finished())]) as edge:
        async with Client(edge.url, tenant="acme") as client:

            @client.on("message")
            async def slow(event: Event) -> None:
                seen.append(("begin", event.data))
                await asyncio.sleep(0)
                seen.append(("end", event.data))

            await client.run("a")

    assert seen == [("begin", 1), ("end", 1), ("begin", 2), ("end", 2)]


def test_errors_of_handlers_are_raised(shell: Shell) -> None:
    """They end the run, say whose they are and at what event; that one counts as not processed."""
    saves: list[str] = []

    def fail(event: Event) -> None:
        if event.data == 2:
            raise ValueError("bad row")

    script = stream(event("a", 1), event("a.b", 2), event("a", 3), finished())
    store = (lambda _: None, lambda _, cursor: saves.append(cursor))
    with ScriptedEdge([script]) as edge, pytest.raises(ValueError, match="bad row") as caught:
        run(shell, edge, lambda client: client.on("message", fail), cursor=store)

    [note] = caught.value.__notes__
    assert "fail" in note
    assert f"'message' {event_id(2)} on 'a.b'" in note
    assert saves[-1] == event_id(1)


def test_losses_are_told(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """To whoever wants to know; else to the log, never to nobody."""
    losses: list[Any] = []
    with ScriptedEdge([stream(gap(1, 3), finished())] * 2) as edge:
        run(shell, edge, lambda client: client.on("loss", losses.append))
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        run(shell, edge, lambda client: client.on("*", print))

    assert [type(loss) for loss in losses] == [Gap]
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert event_id(3) in record.getMessage()


def test_handlers_come_and_go_while_it_runs(shell: Shell) -> None:
    """A handler may take itself away, and add others, for the events to come."""
    seen: list[Any] = []

    def register(client: Client | SyncClient) -> None:
        @client.on("message")
        def once(event: Event) -> None:
            seen.append(("once", event.data))
            client.off(once)
            client.on("message", lambda event: seen.append(("then", event.data)))

    with ScriptedEdge([stream(event("a", 1), event("a", 2), finished())]) as edge:
        run(shell, edge, register)

    assert seen == [("once", 1), ("then", 2)]


def test_wrong_wishes_are_refused() -> None:
    """What cannot be a type, and losses of one task."""
    client = SyncClient("http://edge", tenant="acme")
    for event_type, task_id in (("Progress", None), ("tailrace", None), ("loss", "7")):
        with pytest.raises(InvalidInput):
            client.on(event_type, print, task_id=task_id)


def test_async_handlers_are_for_the_async_client() -> None:
    """The sync client says so, and leaves no coroutine behind."""

    async def handle(_: Event) -> None: ...

    with ScriptedEdge([stream(event("a"))]) as edge, SyncClient(edge.url, tenant="acme") as client:
        client.on("*", handle)
        with pytest.raises(InvalidInput, match="async"):
            client.run("a")


@pytest.mark.parametrize(
    ("topic", "data", "task_id"),
    [
        ("jobs.import-42", {}, "import-42"),
        ("jobs.import-42.log", "text", "import-42"),
        ("users.7.jobs.import%2042", None, "import 42"),
        ("users.7.jobs.x.y", None, "x"),
        ("jobs.a", {"task_id": "b"}, "b"),
        ("scans", {"task_id": 17}, "17"),
        ("jobs.a", {"task_id": None}, "a"),
        ("scans", {}, None),
        ("jobs", {}, None),
        ("users.7.jobs", {}, None),
        ("users.7.mails.9", {}, None),
        ("jobs.a%2", {}, "a%2"),
    ],
)
def test_task_ids(topic: str, data: Any, task_id: str | None) -> None:
    """The data's `task_id`, else the job of the topic."""
    assert find_task_id(Event("i-1", topic, "message", datetime.now(UTC), data)) == task_id
