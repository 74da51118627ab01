"""Tokens: who is asked when, that nothing is lost over it, and that they are nowhere to be read."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from support.scripted_edge import EPOCH, write_control, write_event, write_open
from support.shells import Shell
from tailrace_client import Client, LinkState, SyncClient, TokenReason, Unauthorized
from tailrace_client.calls import Exchange, read_topic
from tailrace_client.edges import Edges
from tailrace_client.session import Session
from tailrace_client.testing import (
    Peer,
    ScriptedEdge,
    answer,
    challenge,
    closing,
    drop,
    event,
    event_id,
    finished,
    problem,
    silence,
    stream,
    unauthorized,
)
from tailrace_client.tokens import Credential
from tailrace_protocol.control import Challenge
from tailrace_protocol.errors import InvalidInput

TOPIC = {"id": event_id(1), "topic": "a.b", "type": "message", "time": "2026-01-31T12:00:00Z", "data": 1}


class Source:
    """Gives out tokens, and remembers why it was asked. An exception among them is raised."""

    def __init__(self, *tokens: str | Exception) -> None:
        self.reasons: list[TokenReason] = []
        self._tokens = list(tokens)

    def __call__(self, reason: TokenReason) -> str:
        self.reasons.append(reason)
        token = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        if isinstance(token, Exception):
            raise token
        return token


def test_a_callable_is_asked_once_for_all(shell: Shell) -> None:
    """Streams and calls share what it returned."""
    source = Source("t1", "t2")
    script = [answer(TOPIC), stream(event("a.b", 1), drop()), stream(finished()), answer(TOPIC)]
    with ScriptedEdge(script) as edge:

        async def use_async(client: Client) -> None:
            await client.topic("a.b")
            assert [item async for item in client.stream("a.>")] != []
            await client.topic("a.b")

        def use(client: Any) -> Any:
            if shell.name == "async":
                return use_async(client)
            client.topic("a.b")
            assert list(client.stream("a.>")) != []
            client.topic("a.b")
            return None

        shell.ask(edge.url, use, token=source)

        assert [request.token for request in edge.requests] == ["t1"] * 4
        assert source.reasons == [TokenReason.FIRST]


def test_a_refused_token_is_asked_for_anew(shell: Shell) -> None:
    """After 401 the stream comes back with another token, at once, and goes on where it was."""
    source = Source("t1", "t2", "t3")
    script = [
        stream(event("a.b", 1), drop()),
        unauthorized(),
        stream(event("a.b", 2), drop()),
        unauthorized(),
        stream(finished()),
    ]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert watched.data == [1, 2]
        assert [request.token for request in edge.requests] == ["t1", "t1", "t2", "t2", "t3"]
        assert [request.last_event_id for request in edge.requests] == [None, *map(event_id, (1, 1, 2, 2))]
        assert source.reasons == [TokenReason.FIRST, TokenReason.UNAUTHORIZED, TokenReason.UNAUTHORIZED]
        assert [delay for number, delay in enumerate(watched.delays) if number in (2, 4)] == [0, 0]
        assert LinkState.UNAUTHORIZED not in watched.states


def test_a_token_refused_twice_is_no_good(shell: Shell) -> None:
    """Once for each attempt: then the error says so, and the link's state."""
    source = Source("t1", "t2")
    with ScriptedEdge([unauthorized(), unauthorized(), stream()]) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert isinstance(watched.error, Unauthorized)
        assert watched.error.status == 401
        assert watched.states == [LinkState.CONNECTING, LinkState.UNAUTHORIZED]
        assert [request.token for request in edge.requests] == ["t1", "t2"]


@pytest.mark.parametrize("between", [problem(503), drop()], ids=["503", "lost"])
def test_each_attempt_may_ask(shell: Shell, between: Any) -> None:
    """What else goes wrong between two refusals makes the second one a first one."""
    source = Source("t1", "t2", "t3")
    with ScriptedEdge([unauthorized(), between, unauthorized(), stream(event("a.b", 1), finished())]) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert watched.data == [1]
        assert [request.token for request in edge.requests] == ["t1", "t2", "t2", "t3"]


def test_a_challenge_is_answered_before_the_token_expires(shell: Shell) -> None:
    """The stream reconnects with a new token, without a wait, and without losing or doubling an event."""
    source = Source("t1", "t2")
    script = [
        stream(event("a.b", 1), event("a.b", 2), challenge(), event("a.b", 3), silence()),
        stream(event("a.b", 3, number=3), event("a.b", 4), finished()),
    ]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert watched.data == [1, 2, 3, 4]
        assert [request.token for request in edge.requests] == ["t1", "t2"]
        assert edge.requests[1].last_event_id in (event_id(2), event_id(3))
        assert source.reasons == [TokenReason.FIRST, TokenReason.CHALLENGE]
        assert watched.delays == [0, 0]
        assert watched.states == [LinkState.LIVE, LinkState.CONNECTING, LinkState.LIVE, LinkState.ENDED]


def test_who_has_no_newer_token_goes_on_with_the_old_one(shell: Shell) -> None:
    """A callable that returns the same token is asked once for each: further challenges end no connection."""
    source = Source("t1", "t1", "t2")
    script = [
        stream(challenge()),
        stream(challenge(), event("a.b", 1), closing("token_expired", 0)),
        stream(event("a.b", 2), finished()),
    ]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert watched.data == [1, 2]
        assert [request.token for request in edge.requests] == ["t1", "t1", "t2"]
        assert source.reasons == [TokenReason.FIRST, TokenReason.CHALLENGE, TokenReason.UNAUTHORIZED]


def test_a_fixed_token_is_used_until_it_is_refused(shell: Shell) -> None:
    """Nobody can be asked: challenges are passed over, the end of the token comes as an error."""
    script = [stream(challenge(), event("a.b", 1), closing("token_expired", 0)), unauthorized(), stream()]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": "t1"})

        assert watched.data == [1]
        assert isinstance(watched.error, Unauthorized)
        assert len(edge.requests) == 2


@pytest.mark.parametrize("error", [ConnectionError("no route"), httpx.ConnectTimeout("slow")], ids=type)
def test_a_token_that_is_not_to_be_had_now_is_waited_for(shell: Shell, error: Exception) -> None:
    """The network of the callable is at fault: the stream asks again, with growing waits."""
    source = Source(error, error, "t1", error, "t2")
    script = [stream(event("a.b", 1), closing("token_expired", 0)), stream(event("a.b", 2), finished())]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert watched.data == [1, 2]
        assert [request.token for request in edge.requests] == ["t1", "t2"]
        assert source.reasons == [TokenReason.FIRST] * 3 + [TokenReason.UNAUTHORIZED] * 2
        assert watched.states[:3] == [LinkState.OFFLINE, LinkState.OFFLINE, LinkState.LIVE]
        assert 0 < watched.delays[2] <= 2


def test_a_challenge_that_nobody_can_answer_now_leaves_the_old_token(shell: Shell) -> None:
    """It is good for a while: the stream goes on with it, and the next challenge asks again."""
    source = Source("t1", ConnectionError(), "t2")
    script = [stream(challenge()), stream(event("a.b", 1), challenge()), stream(event("a.b", 2), finished())]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": source})

        assert watched.data == [1, 2]
        assert [request.token for request in edge.requests] == ["t1", "t1", "t2"]


def test_errors_of_the_callable_are_raised(shell: Shell) -> None:
    """Streams and calls raise what is not the network's fault, as it is: somebody has to sign in."""
    with ScriptedEdge() as edge:
        for question in (lambda client: client.stream("a.>"), lambda client: client.topic("a.b")):
            with pytest.raises(PermissionErrorOfTheirs, match="sign in"):
                shell.ask(edge.url, take_first(question, shell), token=Source(PermissionErrorOfTheirs("sign in")))

        assert edge.requests == []


class PermissionErrorOfTheirs(Exception):
    pass


def take_first(question: Callable[[Any], Any], shell: Shell) -> Callable[[Any], Any]:
    async def take_async(client: Client) -> Any:
        asked = question(client)
        return await asked if isinstance(asked, Awaitable) else await anext(aiter(asked))

    def take(client: Any) -> Any:
        if shell.name == "async":
            return take_async(client)
        asked = question(client)
        return next(iter(asked)) if hasattr(asked, "__iter__") else asked

    return take


def test_calls_ask_anew_once(shell: Shell) -> None:
    """A call that is refused is sent again with another token; refused again, it raises."""
    source = Source("t1", "t2", "t3")
    with ScriptedEdge([unauthorized(), answer({"ids": [event_id(1)]}), unauthorized(), unauthorized()]) as edge:

        async def use_async(client: Client) -> None:
            await client.publish("a.b", 1)
            with pytest.raises(Unauthorized):
                await client.topic("a.b")

        def use(client: Any) -> Any:
            if shell.name == "async":
                return use_async(client)
            client.publish("a.b", 1)
            with pytest.raises(Unauthorized):
                client.topic("a.b")
            return None

        shell.ask(edge.url, use, token=source)

        assert [request.token for request in edge.requests] == ["t1", "t2", "t2", "t3"]
        assert edge.requests[0].body == edge.requests[1].body


async def test_async_callables_are_awaited_and_asked_once_by_many() -> None:
    """Streams whose tokens are refused at the same time ask once, and all take what comes."""
    asked = 0

    async def find_token() -> str:
        nonlocal asked
        asked += 1
        token = f"t{asked}"
        await asyncio.sleep(0)
        return token

    count = 20

    async def refuse_all_at_once(peer: Peer) -> None:
        if peer.request.token != "t1":
            await stream(finished())(peer)
        await asyncio.to_thread(peer.edge.wait_requests, count)
        await unauthorized()(peer)

    with ScriptedEdge([refuse_all_at_once] * 2 * count) as edge:
        async with Client(edge.url, tenant="acme", token=find_token) as client:

            async def watch() -> None:
                assert [item async for item in client.stream("a.>")] == []

            async with asyncio.TaskGroup() as group:
                for _ in range(count):
                    group.create_task(watch())

        assert asked == 2
        assert [request.token for request in edge.requests] == ["t1"] * count + ["t2"] * count


def test_threads_ask_once() -> None:
    """The same for threads that share a client."""
    barrier = threading.Barrier(8)
    source = Source("t1", "t2")
    with (
        ScriptedEdge([stream(finished())] * 8) as edge,
        SyncClient(edge.url, tenant="acme", token=source) as client,
    ):

        def watch() -> None:
            barrier.wait()
            list(client.stream("a.>"))

        threads = [threading.Thread(target=watch) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert source.reasons == [TokenReason.FIRST]
        assert len(edge.requests) == 8


def test_async_callables_are_for_the_async_client() -> None:
    """The sync client says so, and leaves no coroutine behind."""

    async def find_token() -> str:
        return "t1"

    with (
        ScriptedEdge() as edge,
        SyncClient(edge.url, tenant="acme", token=find_token) as client,
        pytest.raises(InvalidInput, match="async"),
    ):
        client.topic("a.b")


@pytest.mark.parametrize("token", ["", "a b", "tökén\r\n", None, 17])
def test_wrong_answers_are_refused_and_not_repeated(shell: Shell, token: Any) -> None:
    """What cannot stand in a header is an error that does not say what it was."""
    with ScriptedEdge() as edge, pytest.raises(InvalidInput) as caught:
        shell.ask(edge.url, lambda client: client.topic("a.b"), token=lambda: token)

    assert not token or str(token) not in str(caught.value)


def test_callables_with_other_parameters_are_refused() -> None:
    """At once, not when the first token is needed."""
    with pytest.raises(InvalidInput, match="scope"):
        Client("http://edge", tenant="acme", token=lambda scope: scope)
    for good in (lambda: "t", lambda reason: reason, lambda *, reason=None: "t", lambda scope="x": scope):
        Client("http://edge", tenant="acme", token=good)


def test_tokens_are_nowhere_to_be_read(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, whatever the level, nor in errors, links, or representations."""
    caplog.set_level(logging.DEBUG)
    source = Source("secret-1", "secret-2", "secret-3")
    script = [stream(event("a.b", 1), challenge()), unauthorized(), unauthorized()]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, settings={"token": source})
        assert [request.token for request in edge.requests] == ["secret-1", "secret-2", "secret-3"]
    edges = Edges("http://edge", "acme", "secret-4")
    session = Session(edges, [])
    exchange = Exchange(read_topic("a.b"), edges)
    shown = [watched.links, watched.error, session, session.connect(), exchange, exchange.request, edges]

    assert isinstance(watched.error, Unauthorized)
    assert "secret" not in caplog.text
    assert "secret" not in repr([*shown, edges.credential, Credential(source), str(watched.error)])


def test_a_challenge_does_not_move_the_cursor_past_what_came_with_it() -> None:
    """Items behind a challenge in the same piece are asked for again, not counted as served."""
    edges = Edges("http://edge", "acme", lambda: "t1")
    edges.credential.keep("t1")
    session = Session(edges, [])
    session.connect()
    session.respond(200, {"content-type": "text/event-stream"})
    expires = Challenge(datetime.now(UTC))
    items = list(session.receive(write_open(0) + write_event(1) + write_control(expires) + write_event(2)))

    assert len(items) == 1
    assert session.cursor == f"{EPOCH}-1"
    assert session.wants is TokenReason.CHALLENGE
    assert not session.reading
