"""Texts whose reader comes late, or takes his time: all that has come already is one step, or few."""

import asyncio
import threading
from pathlib import Path

import anyio.to_thread
from support.broker import Broker
from support.edge import EdgeProcess
from support.shells import WAIT, Shell
from tailrace_client import Client, SyncClient, Text
from tailrace_client.testing import Play, ScriptedEdge, event, stream, when
from tailrace_client.testing.server import Peer
from tailrace_producer import Producer, Settings

TOKENS = [f"token {number} " for number in range(90)]


def token(offset: int, text: str) -> Play:
    return event("chats.1", {"offset": offset, "text": text}, type="token")


def at_once(parts: list[Play]) -> Play:
    """Send parts in one piece: of many small ones TCP keeps some back until the client has heard of the others."""

    async def play(peer: Peer) -> None:
        gathered = Gathering(peer)
        for part in parts:
            await part(gathered)
        await peer.send(gathered.sent)

    return play


class Gathering(Peer):
    """Keeps what is to be sent."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer.edge, peer.request, peer.connection)
        self.sent = b""

    async def send(self, data: bytes) -> None:
        self.sent += data


def open_gate(gate: threading.Event) -> Play:
    async def play(_: Peer) -> None:
        gate.set()

    return play


def test_what_has_come_while_the_reader_was_busy_is_one_step(shell: Shell) -> None:
    """The reader takes the first token; 90 more come, each written for itself, before he asks for the next."""
    taken, written, seen = threading.Event(), threading.Event(), threading.Event()
    whole = "".join(["first ", *TOKENS])
    script = stream(
        token(0, "first "),
        when(taken),
        at_once([token(6 + len("".join(TOKENS[:number])), text) for number, text in enumerate(TOKENS)]),
        open_gate(written),
        when(seen),
        event("chats.1", {"length": len(whole)}, type="complete"),
    )

    def react(texts: list[Text]) -> None:
        if len(texts) == 1:
            taken.set()
            assert written.wait(WAIT)
        else:
            seen.set()

    async def read_async(client: Client) -> list[Text]:
        texts: list[Text] = []
        async for text in client.text("chats.1"):
            texts.append(text)
            await asyncio.to_thread(react, texts)
        return texts

    def read_sync(client: SyncClient) -> list[Text]:
        texts: list[Text] = []
        for text in client.text("chats.1"):
            texts.append(text)
            react(texts)
        return texts

    with ScriptedEdge([script]) as edge:
        texts = shell.ask(edge.url, read_async if shell.name == "async" else read_sync)

    assert [text.text for text in texts] == ["first ", whole, whole]
    assert [text.status for text in texts] == ["running", "running", "complete"]


def test_nothing_of_what_follows_an_end_is_taken_for_the_text(shell: Shell) -> None:
    """Though it comes in the same bytes: the last step is the end."""
    parts = [token(0, "old"), event("chats.1", {"length": 3}, type="complete"), token(0, "new")]
    with ScriptedEdge([stream(at_once(parts))]) as edge:
        *_, last = shell.ask(edge.url, lambda client: client.text("chats.1"))

    assert (last.text, last.status) == ("old", "complete")


async def test_a_late_joiner_gets_the_text_so_far_in_few_steps(broker: Broker, tmp_path: Path) -> None:
    """Of an open text of 90 tokens, each published for itself; then he goes on live."""
    whole = "".join(TOKENS)
    settings = Settings(text_interval=0, text_batch=1)
    async with (
        EdgeProcess(broker.url, tmp_path / "edge") as edge,
        Producer(broker.url, tenant="acme", settings=settings) as producer,
        producer.stream("chats.1") as out,
    ):
        for text in TOKENS:
            out.write(text)
            await producer.flush()

        def read() -> list[Text]:
            texts = []
            with SyncClient(edge.url, tenant="acme") as client:
                for text in client.text("chats.1"):
                    texts.append(text)
                    if text.text == whole and not text.status.terminal:
                        out.write("live")
                        out.complete()
            return texts

        texts = await anyio.to_thread.run_sync(read)

    *backlog, last = [text for text in texts if not text.text.endswith("live")] + texts[-1:]
    assert backlog[-1].text == whole
    assert len(backlog) <= 9, "the backlog came one event a step, or nearly so"
    assert (last.text, last.status) == (f"{whole}live", "complete")
