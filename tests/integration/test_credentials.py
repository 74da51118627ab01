"""Tokens, cookies and tickets: whom an edge that asks for them lets in, to what, and for how long."""

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support.calls import call
from support.edge import EdgeProcess
from support.guarded_edge import PAGE, PRIVATE, check_log, make_headers, open_guarded, sign


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(sign, id="HS256"),
        pytest.param(lambda: sign(algorithm="HS384"), id="HS384"),
        pytest.param(lambda: sign(algorithm="HS512"), id="HS512"),
        pytest.param(lambda: sign(PRIVATE, "RS256"), id="RS256"),
        pytest.param(lambda: sign(PRIVATE, "PS512"), id="PS512"),
    ],
)
async def test_who_has_the_right_gets_in(guarded: EdgeProcess, token: Any) -> None:
    headers = make_headers(token(), {})
    async with open_guarded(guarded, "topic=users.alice.>", headers) as stream:
        assert stream.status == 200
        await stream.next_control("open")
        event = {"topic": "users.alice.x", "data": 1}
        answer = await call(guarded, "/v1/acme/events", method="POST", json=event, headers=headers)
        assert answer.status_code == 201, answer.text
        assert (await stream.next_event()).last_event_id == answer.json()["ids"][0]
    assert (await call(guarded, "/v1/acme/topics?match=users.alice.*", headers=headers)).status_code == 200
    assert (await call(guarded, "/v1/acme/topics/users.alice.x", headers=headers)).status_code == 200
    draft = {"topic": "users.alice.drafts.1"}
    await call(guarded, "/v1/acme/events", method="POST", json=draft, headers=headers)
    deleted = await call(guarded, "/v1/acme/topics/users.alice.drafts.1", method="DELETE", headers=headers)
    assert deleted.status_code == 200, deleted.text
    job = {"topic": "users.alice.jobs.7", "data": {"id": "7", "status": "running"}}
    await call(guarded, "/v1/acme/events", method="POST", json=job, headers=headers)
    cancelled = await call(guarded, "/v1/acme/jobs/7/cancel?user=alice", method="POST", headers=headers)
    assert cancelled.json()["type"] == "urn:tailrace:problem:no-worker"


# Cookies and tickets


@pytest.mark.parametrize("origin", [None, PAGE, "own"])
async def test_cookie_of_our_own_pages_is_taken(guarded: EdgeProcess, origin: str | None) -> None:
    headers = httpx.Headers({"cookie": f"theme=dark; session={sign()}"})
    if origin is not None:
        headers["origin"] = guarded.url if origin == "own" else origin
    async with open_guarded(guarded, "topic=users.alice.x", headers) as stream:
        assert stream.status == 200
        assert stream.headers.get("access-control-allow-credentials") == ("true" if origin == PAGE else None)
    listed = await call(guarded, "/v1/acme/topics?match=news.*", headers=headers)
    assert listed.status_code == 200
    if origin == PAGE:
        assert listed.headers["access-control-allow-origin"] == PAGE
        assert listed.headers["access-control-allow-credentials"] == "true"


async def get_ticket(edge: EdgeProcess, **wish: Any) -> str:
    answer = await call(edge, "/v1/acme/tickets", method="POST", json=wish, headers=make_headers(sign(), {}))
    assert answer.status_code == 201, answer.text
    assert answer.json()["expires_in"] == 30
    ticket: str = answer.json()["ticket"]
    return ticket


async def test_ticket_opens_its_stream_and_no_other(guarded: EdgeProcess) -> None:
    ticket = await get_ticket(guarded, topics=["users.alice.x", "news.*"], **{"from": "last"})
    query = f"topic=news.*&topic=users.alice.x&from=last&ticket={quote(ticket)}"
    async with open_guarded(guarded, query, httpx.Headers()) as stream:
        assert stream.status == 200
        await stream.next_control("open")
    for other in (
        query.replace("news.*", "news.a"),
        query.replace("&topic=users.alice.x", ""),
        query.replace("users.alice.x", "users.alice.>"),
        query.replace("from=last", "from=start"),
        query.replace("&from=last", ""),
        query + "&last_event_id=0-1",
        query[:-2],
    ):
        async with open_guarded(guarded, other, httpx.Headers()) as stream:
            assert stream.status in (400, 401, 403), other
    async with open_guarded(guarded, query, httpx.Headers(), tenant="beta") as stream:
        assert stream.status in (401, 403)
    for path in ("/v1/acme/topics?match=news.*", f"/v1/acme/topics?match=news.*&ticket={quote(ticket)}"):
        assert (await call(guarded, path)).status_code == 401
    as_token = make_headers(ticket, {})
    assert (await call(guarded, "/v1/acme/topics?match=news.*", headers=as_token)).status_code == 401
    check_log(guarded, [ticket])


# The end of a token


async def test_stream_ends_with_its_token(guarded: EdgeProcess) -> None:
    # Good for long enough to get in with it, on any machine.
    token = sign(exp=int(time.time()) + 15, subscribe=["users.alice.>"])
    async with open_guarded(guarded, "topic=users.alice.x", make_headers(token, {})) as stream:
        assert stream.status == 200
        await stream.next_control("challenge")
        closing = await stream.next_control("closing")
        assert closing["reason"] == "token_expired"
        assert await stream.next() is None
    metrics = (await call(guarded, "/metrics")).text
    assert 'tailrace_closes_total{reason="token_expired"} 1.0' in metrics
    assert "alice" not in metrics
