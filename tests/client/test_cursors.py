"""Cursors that outlive a process: what is saved when, and where a restarted service goes on."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.scripted_edge import LOG, ScriptedEdge, format_id, serve_log
from support.shells import Shell
from tailrace_client import Client, CursorFile, CursorStore, CursorUnreadable, Event, Item, Reset, SyncClient
from tailrace_client.cursors import MAX_KEYS, SAVE_EVERY, Bookmark, format_key
from tailrace_client.testing import Peer, drop, event, event_id, finished, heartbeat, problem, reset, stream
from tailrace_protocol.errors import EdgeRefused, InvalidInput

KEY = "acme a.>"


class Memory:
    """A store that keeps all that was saved, in order."""

    def __init__(self, cursor: str | None = None) -> None:
        self.saves: list[str] = []
        self.keys: set[str] = set()
        self.cursor = cursor

    def load(self, key: str) -> str | None:
        self.keys.add(key)
        return self.cursor

    def save(self, key: str, cursor: str) -> None:
        self.keys.add(key)
        self.saves.append(cursor)
        self.cursor = cursor


class AsyncMemory(Memory):
    async def load(self, key: str) -> str | None:  # type: ignore[override]  # the async client's kind of store
        return super().load(key)

    async def save(self, key: str, cursor: str) -> None:  # type: ignore[override]  # as above
        super().save(key, cursor)


def make_memory(shell: Shell, cursor: str | None = None) -> Memory:
    return AsyncMemory(cursor) if shell.name == "async" else Memory(cursor)


def test_a_restarted_service_goes_on_where_it_stopped(shell: Shell, tmp_path: Path) -> None:
    """The second run asks for what follows the last item that the first one processed, whatever `start` says."""
    path = tmp_path / "cursor.json"
    with ScriptedEdge([serve_log(LOG[:2]), serve_log(LOG)]) as edge:
        first = shell.watch(edge.url, start="start", cursor=path)
        second = shell.watch(edge.url, start="start", cursor=str(path))

        assert first.data == ["ünï 1", "ünï 2"]
        assert second.data == ["ünï 3"]
        assert [request.last_event_id for request in edge.requests] == [None, format_id(2)]
        assert json.loads(path.read_text()) == {KEY: format_id(3)}


def test_the_item_in_whose_turn_the_loop_is_left_comes_again(shell: Shell) -> None:
    """It may be half processed: what is saved is what lies before it."""
    memory = make_memory(shell)
    with ScriptedEdge([serve_log(LOG), serve_log(LOG)]) as edge:
        shell.watch(edge.url, cursor=memory, count=2)
        assert memory.saves == [format_id(1)]
        again = shell.watch(edge.url, cursor=memory)

        assert again.data == ["ünï 2", "ünï 3"]
        assert memory.keys == {KEY}


def test_commit_counts_the_item_in_hand(shell: Shell) -> None:
    """Who has processed it, and then leaves, says so."""
    memory = make_memory(shell)
    with ScriptedEdge([serve_log(LOG)]) as edge:

        async def use_async(client: Client) -> None:
            stream = client.stream("a.>", cursor=memory)
            async for _ in stream:
                await stream.commit()
                break

        def use(client: Any) -> Any:
            if shell.name == "async":
                return use_async(client)
            stream = client.stream("a.>", cursor=memory)
            for _ in stream:
                stream.commit()
                break
            return None

        shell.ask(edge.url, use)

        assert memory.saves == [format_id(1)]


def test_errors_of_the_loop_and_of_the_stream_keep_what_was_processed(shell: Shell) -> None:
    """However the loop ends, what it has processed is saved."""
    memory = make_memory(shell)

    def fail(item: Any) -> None:
        if item.data == "ünï 3":
            raise RuntimeError("broken")

    with ScriptedEdge([serve_log(LOG), serve_log(LOG), problem(403)]) as edge:
        with pytest.raises(RuntimeError):
            shell.watch(edge.url, cursor=memory, on_item=fail)
        assert memory.saves == [format_id(1), format_id(2)]

        second = shell.watch(edge.url, cursor=memory)
        third = shell.watch(edge.url, cursor=memory)

        assert second.data == ["ünï 3"]
        assert isinstance(third.error, EdgeRefused)
        assert memory.saves[-1] == format_id(3)


def test_saves_are_bounded(shell: Shell) -> None:
    """A flood is saved at its first item, and at its end; not for every event."""
    memory = make_memory(shell)
    parts = [event("a.b", number) for number in range(500)]
    with ScriptedEdge([stream(*parts, finished())]) as edge:
        watched = shell.watch(edge.url, cursor=memory)

        assert len(watched.items) == 500
        assert memory.saves[-1] == event_id(500)
        assert len(memory.saves) < 100


def test_idle_streams_are_saved_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was processed after the last save is saved at the next heartbeat, without another event."""
    monkeypatch.setattr("tailrace_client.cursors.SAVE_EVERY", 0.2)
    memory = make_memory(shell)

    async def beat(peer: Peer) -> None:
        while memory.cursor != event_id(1):
            await heartbeat()(peer)
            await asyncio.sleep(0.02)

    first = stream(heartbeat(), event("a.b", 1), beat, drop())
    with ScriptedEdge([first, stream(finished())]) as edge:
        watched = shell.watch(edge.url, cursor=memory)

        assert watched.data == [1]


def test_other_topics_do_not_go_on_there(shell: Shell, tmp_path: Path) -> None:
    """A changed list begins at `start`; the old list still goes on where it was."""
    path = tmp_path / "cursor.json"
    with ScriptedEdge([serve_log(LOG[:1])] * 3 + [serve_log(LOG)]) as edge:
        shell.watch(edge.url, "a.>", "b", cursor=path)
        shell.watch(edge.url, "a.>", "c", cursor=path)
        shell.watch(edge.url, "a.>", "b", types=["message"], cursor=path)
        again = shell.watch(edge.url, "b", "a.>", cursor=path)

        assert [request.last_event_id for request in edge.requests] == [None, None, None, format_id(1)]
        assert again.data == ["ünï 2", "ünï 3"]
        assert set(json.loads(path.read_text())) == {"acme a.> b", "acme a.> c", "acme a.> b types=message"}


def test_a_pair_of_functions_is_a_store(shell: Shell) -> None:
    """A row in one's own database needs no class."""
    memory = make_memory(shell, format_id(2))
    with ScriptedEdge([serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url, cursor=(memory.load, memory.save))

        assert watched.data == ["ünï 3"]
        assert memory.saves[-1] == format_id(3)


def test_a_second_loop_goes_on_after_the_first(shell: Shell) -> None:
    """Within one process the item in hand was taken: the store is asked once."""
    memory = make_memory(shell)
    with ScriptedEdge([serve_log(LOG), serve_log(LOG)]) as edge:

        async def use_async(client: Client) -> list[Any]:
            stream = client.stream("a.>", cursor=memory)
            async for _ in stream:
                break
            return [item async for item in stream]

        def use(client: Any) -> Any:
            if shell.name == "async":
                return use_async(client)
            stream = client.stream("a.>", cursor=memory)
            for _ in stream:
                break
            return list(stream)

        assert [item.data for item in shell.ask(edge.url, use)] == ["ünï 2", "ünï 3"]


def test_a_reset_is_saved_as_it_comes(shell: Shell) -> None:
    """After a reset the new place is kept, though it lies before the old one."""
    memory = make_memory(shell, event_id(900))
    with ScriptedEdge([stream(reset(), event("a.b", 1), finished())]) as edge:
        watched = shell.watch(edge.url, cursor=memory)

        assert isinstance(watched.items[0], Reset)
        assert isinstance(watched.items[1], Event)
        assert memory.saves[-1] == event_id(1)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"acme a.>": 3}', b'{"acme a.>": "nonsense"}', b"\xff"])
def test_what_is_no_cursor_is_no_beginning(shell: Shell, tmp_path: Path, content: bytes) -> None:
    """To begin anew because the file is damaged would lose events silently."""
    path = tmp_path / "cursor.json"
    path.write_bytes(content)
    with ScriptedEdge() as edge:
        watched = shell.watch(edge.url, cursor=path)

        assert isinstance(watched.error, CursorUnreadable)
        assert edge.requests == []
        assert path.read_bytes() == content


def test_a_cursor_that_cannot_be_saved_is_an_error(shell: Shell, tmp_path: Path) -> None:
    """The service hears of it while it runs, not when it restarts."""
    folder = tmp_path / "gone"
    folder.mkdir()

    def remove(_: Item) -> None:
        if folder.exists():
            folder.rmdir()

    with ScriptedEdge([serve_log(LOG)]) as edge, pytest.raises(FileNotFoundError):
        shell.watch(edge.url, cursor=folder / "cursor.json", on_item=remove)


def test_files_are_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that fails half-way leaves the old file, and nothing beside it."""
    path = tmp_path / "cursor.json"
    file = CursorFile(path)
    file.save("one", format_id(1))

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        file.save("one", format_id(2))

    assert file.load("one") == format_id(1)
    assert os.listdir(tmp_path) == ["cursor.json"]


def test_files_do_not_grow_for_ever(tmp_path: Path) -> None:
    """The keys that were not saved for longest go first."""
    path = tmp_path / "cursor.json"
    path.write_text(json.dumps({str(number): format_id(number) for number in range(MAX_KEYS)}))
    file = CursorFile(path)
    file.save("0", format_id(7))
    file.save("new", format_id(8))

    assert file.load("0") == format_id(7)
    assert file.load("new") == format_id(8)
    assert file.load("1") is None
    assert len(json.loads(path.read_text())) == MAX_KEYS


def test_stores_have_a_type() -> None:
    """Whoever writes one is told by the type checker what it needs; other things are refused at once."""
    assert isinstance(CursorFile("x"), CursorStore)
    client = SyncClient("http://edge", tenant="acme")
    for wrong in (3, ("a", "b"), (print,), object()):
        with pytest.raises(InvalidInput, match="cursor="):
            client.stream("a.>", cursor=wrong)  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(InvalidInput, match="cursor="):
        client.stream("a.>").commit()


def test_async_stores_are_for_the_async_client() -> None:
    """The sync client says so, and leaves no coroutine behind."""
    client = SyncClient("http://edge", tenant="acme")
    with pytest.raises(InvalidInput, match="async"):
        list(client.stream("a.>", cursor=AsyncMemory()))


def test_bookmark_bounds_the_rate() -> None:
    """Something is due once it is pending and the last save is long enough ago."""
    now = 100.0
    bookmark = Bookmark(Memory(), "k", clock=lambda: now)
    bookmark.restore(format_id(1))
    bookmark.reach(format_id(1))
    assert bookmark.due_in is None
    bookmark.reach(format_id(2))
    assert bookmark.due_in == 0
    bookmark.mark_saved(format_id(2))
    bookmark.reach(format_id(3))
    assert bookmark.due_in == SAVE_EVERY
    now += SAVE_EVERY
    assert bookmark.due_in == 0


def test_keys_name_all_that_decides() -> None:
    """Order and repetition of patterns decide nothing."""
    assert format_key("acme", ["b", "a", "b"], None, None) == "acme a b"
    assert format_key("acme", ["a"], ["y", "x"], "terminal") == "acme a types=x,y until=terminal"
