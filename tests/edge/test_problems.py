"""Problems: what each error is answered with."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from tailrace_edge.jetstream import JetStreamError, JetStreamUnavailable
from tailrace_edge.problems import MEDIA_TYPE, Problem, describe, install_problems
from tailrace_edge.query import InvalidQuery
from tailrace_protocol import errors
from tailrace_protocol.errors import EventTooLarge, InvalidInput


@pytest.mark.parametrize(
    ("error", "status", "slug", "headers"),
    [
        (Problem(410, "reset", "x", headers={"a": "b"}), 410, "reset", {"a": "b"}),
        (EventTooLarge(2, 1), 413, "event-too-large", {}),
        (InvalidQuery("x"), 400, "invalid-query", {}),
        (JetStreamUnavailable("x"), 503, "broker-unavailable", {"retry-after": "2"}),
        (JetStreamError(400, 10_000, "x"), 503, "broker-refused", {"retry-after": "2"}),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "http", {"Allow": "GET"}),
        (ClientDisconnect(), 400, "incomplete", {}),
        (ValueError("a secret"), 500, "internal", {}),
    ],
)
def test_each_error_has_its_answer(error: Exception, status: int, slug: str, headers: dict[str, str]) -> None:
    problem = describe(error)
    assert (problem.status, problem.slug, problem.headers) == (status, slug, headers)
    body = json.loads(problem.encode())
    assert body["type"] == f"urn:tailrace:problem:{slug}"
    assert (body["status"], body["detail"]) == (status, problem.detail)
    assert body["title"]
    assert "secret" not in problem.encode().decode()


@pytest.mark.parametrize(
    "kind",
    [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InvalidInput)],
)
def test_every_invalid_input_is_the_clients_fault(kind: type[InvalidInput]) -> None:
    problem = describe(EventTooLarge(2, 1) if kind is EventTooLarge else kind("x"))
    assert problem.status in (400, 413)
    assert problem.slug.replace("-", "") == kind.__name__.lower()


def test_an_answer_is_not_kept() -> None:
    response = Problem(404, "x", "y", headers={"a": "b"}).render()
    assert response.media_type == MEDIA_TYPE
    assert (response.headers["cache-control"], response.headers["a"]) == ("no-store", "b")


@pytest.fixture
async def client() -> Any:
    app = FastAPI()
    install_problems(app, Counter())

    @app.get("/fails")
    async def fail(number: int) -> None:
        raise ZeroDivisionError(number)

    @app.get("/refuses")
    async def refuse() -> None:
        raise JetStreamUnavailable("away")

    @app.post("/other")
    @app.get("/other")
    async def other() -> None: ...

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fails?number=1", 500),
        ("GET", "/fails?number=x", 400),
        ("GET", "/fails", 400),
        ("GET", "/refuses", 503),
        ("GET", "/nothing", 404),
        ("DELETE", "/other", 405),
    ],
)
async def test_an_app_answers_problems_only(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert answer.json()["status"] == status
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"
