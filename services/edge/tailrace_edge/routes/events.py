"""`POST /v1/{tenant}/events`: publishing for services that have no producer library."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from tailrace_protocol.errors import InvalidData, TailraceError
from tailrace_protocol.events import MESSAGE, encode_stored
from tailrace_protocol.stream import format_message_id
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import check_topic, format_subject

from tailrace_edge.auth.guard import Right
from tailrace_edge.edge import Edge
from tailrace_edge.problems import Problem, describe
from tailrace_edge.routes.answers import Caller, OpenEdge, answer_json

MAX_EVENTS = 1000
"""Of one request."""

_KEY = re.compile(r"[!-~]{1,128}")

router = APIRouter(tags=["events"])


class Publication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event to publish.

    Attributes:
        topic: of the event.
        type: of the event.
        data: any JSON.
        id: the caller's own; a second event of the tenant with it, within two minutes, is not stored again.
    """

    topic: str
    type: str = MESSAGE
    data: msgspec.Raw = msgspec.Raw(b"null")
    id: str | None = None


Message = tuple[str, bytes, dict[str, str]]
"""Subject, payload and header."""

_LINES = frozenset({"application/x-ndjson", "application/jsonl"})

_FIELDS = ", ".join(Publication.__struct_fields__)

_one = msgspec.json.Decoder(Publication)
_many = msgspec.json.Decoder(list[msgspec.Raw])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/Publication"},
                        {
                            "type": "array",
                            "maxItems": MAX_EVENTS,
                            "items": {"$ref": "#/components/schemas/Publication"},
                        },
                    ]
                }
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "An event on each line, as in application/json."}
            },
        },
    }
}


@router.post("/v1/{tenant}/events", status_code=201, summary="Publish events", openapi_extra=_BODY)
async def publish(tenant: str, request: Request, caller: Caller, edge: OpenEdge) -> Response:
    """Store one event, or up to 1,000 as a list or as lines (NDJSON), and return their `ids` in order.

    Nothing is stored unless all of them are valid. With an `Idempotency-Key`, or an `id` in each event, a request that
    is sent again within two minutes stores nothing twice, and gets the same ids. 429 and 503 say in `Retry-After` when
    to come again. An error says which event of a list, or which line, it is about, counted from 1.
    """
    check_tenant(tenant)
    lines = request.headers.get("content-type", "").partition(";")[0].strip().lower() in _LINES
    parts = _split(await read_body(request, edge.settings.max_body_bytes), lines=lines)
    key = request.headers.get("idempotency-key")
    key = uuid4().hex if key is None else _check_key(key)
    messages: list[Message] = []
    for index, (place, text) in enumerate(parts):
        try:
            publication = _read(text)
            caller.require(tenant, Right.PUBLISH, [check_topic(publication.topic)])
            # The space keeps numbered keys apart from those that callers choose.
            numbered = key if len(parts) == 1 else f"{key} {index}"
            messages.append(_make_message(tenant, publication, numbered))
        except (TailraceError, Problem) as error:
            raise _locate(error, place) from None
    with edge.admission.publish(tenant, len(messages)):
        ids = await _store(edge, messages)
    return answer_json({"ids": ids}, 201)


def _make_message(tenant: str, publication: Publication, key: str) -> Message:
    key = key if publication.id is None else _check_key(publication.id)
    payload = encode_stored(publication.type, publication.data)
    return format_subject(tenant, publication.topic), payload, {"Nats-Msg-Id": format_message_id(tenant, key)}


def _check_key(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise Problem(400, "invalid-key", "an id or Idempotency-Key is not 1 to 128 visible ASCII characters")
    return key


def _locate(error: Exception, place: str) -> Problem:
    problem = describe(error)
    if place:
        problem.detail = f"{place}: {problem.detail}"
    return problem


async def _store(edge: Edge, messages: list[Message]) -> list[str]:
    publishing = (edge.jetstream.publish_event(*message) for message in messages)
    results = await asyncio.gather(*publishing, return_exceptions=True)
    log = edge.engine.log
    ids: list[str] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        ids.append(str(log.position(result)))
    return ids


def _split(body: bytes, *, lines: bool) -> list[tuple[str, bytes | msgspec.Raw]]:
    """Return the events of a body as JSON, each with where it stands; the only one stands nowhere."""
    parts: list[tuple[str, bytes | msgspec.Raw]] = [("", body)]
    try:
        body.decode()
        if lines:
            parts = [(f"line {number}", line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
        elif body.lstrip()[:1] == b"[":
            parts = [(f"event {number}", event) for number, event in enumerate(_many.decode(body), 1)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidData(f"the body cannot be read: {error}") from None
    if not 0 < len(parts) <= MAX_EVENTS:
        raise InvalidData(f"the body has {len(parts)} events, 1 to {MAX_EVENTS} are allowed")
    return parts


def _read(text: bytes | msgspec.Raw) -> Publication:
    try:
        return _one.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidData(f"this is not an event: {error}; an event's fields are {_FIELDS}") from None


async def read_body(request: Request, limit: int) -> bytes:
    """Return a request's body.

    Raises:
        Problem: 413 if it has more than `limit` bytes.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            told = f"the body has more than {limit} bytes; publish in several requests"
            raise Problem(413, "body-too-large", told, limit="max_body_bytes")
    return bytes(body)
