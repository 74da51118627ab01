"""Which event of many an error is about."""

import json
from typing import Any

import pytest
from support.broker import Broker, read_stream
from support.calls import call
from support.edge import EdgeProcess

GOOD = json.dumps({"topic": "a"})


@pytest.mark.parametrize(
    ("bad", "status", "told"),
    [
        ({"topic": "a..b"}, 400, "a topic has an empty token"),
        ({"topic": "a", "type": "Bad"}, 400, "'Bad'"),
        ({"topic": "a", "data": "x" * 65_536}, 413, "bytes"),
        ({"topic": "a", "id": "two words"}, 400, "visible ASCII"),
        ({"topic": 7}, 400, "not an event: Expected `str`, got `int` - at `$.topic`"),
        (7, 400, "not an event: Expected `object`, got `int`"),
    ],
    ids=["topic", "type", "size", "id", "field", "event"],
)
async def test_an_error_names_its_event(edge: EdgeProcess, broker: Broker, bad: Any, status: int, told: str) -> None:
    text = json.dumps(bad)
    lines = {"content-type": "application/x-ndjson"}
    bodies = [
        (f"[{GOOD}, {GOOD}, {text}, {GOOD}]", {}, "event 3: "),
        (f"{GOOD}\n\n{text}\n{GOOD}\n", lines, "line 3: "),
        (text, lines, "line 1: "),
        (text, {}, ""),
    ]
    for body, headers, place in bodies:
        answer = await call(edge, "/v1/acme/events", method="POST", content=body, headers=headers)
        detail = answer.json()["detail"]
        assert (answer.status_code, told in detail) == (status, True), detail
        assert detail.startswith(place)
        assert place or not detail.startswith(("event", "line"))
    assert await read_stream(broker.url) == []


@pytest.mark.parametrize(("body", "lines"), [('[{"topic": "a"},', False), (f"[{GOOD}] x", False), ("{", True)])
async def test_what_is_cut_off_is_no_event(edge: EdgeProcess, body: str, lines: bool) -> None:
    headers = {"content-type": "application/x-ndjson"} if lines else {}
    answer = await call(edge, "/v1/acme/events", method="POST", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:tailrace:problem:invalid-data")
