"""`POST /v1/{tenant}/events`: publishing for services that have no producer library."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from tailrace_protocol.errors import InvalidData
from tailrace_protocol.events import MESSAGE, encode_stored
from tailrace_protocol.stream import format_message_id
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import check_topic, format_subject

from tailrace_edge.auth.guard import Right
from tailrace_edge.edge import Edge
from tailrace_edge.problems import Problem
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


_LINES = frozenset({"application/x-ndjson", "application/jsonl"})

_FIELDS = ", ".join(Publication.__struct_fields__)

_one = msgspec.json.Decoder(Publication)
_many = msgspec.json.Decoder(list[Publication])

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
    to come again.
    """
    check_tenant(tenant)
    lines = request.headers.get("content-type", "").partition(";")[0].strip().lower() in _LINES
    publications = _decode(await read_body(request, edge.settings.max_body_bytes), lines=lines)
    caller.require(tenant, Right.PUBLISH, [check_topic(publication.topic) for publication in publications])
    keys = _choose_keys(request.headers.get("idempotency-key"), publications)
    messages = [
        (
            format_subject(tenant, publication.topic),
            encode_stored(publication.type, publication.data),
            {"Nats-Msg-Id": format_message_id(tenant, key)},
        )
        for publication, key in zip(publications, keys, strict=True)
    ]
    with edge.admission.publish(tenant, len(publications)):
        ids = await _store(edge, messages)
    return answer_json({"ids": ids}, 201)


def _choose_keys(key: str | None, publications: list[Publication]) -> list[str]:
    own = [publication.id for publication in publications if publication.id is not None]
    for chosen in own if key is None else [key, *own]:
        if _KEY.fullmatch(chosen) is None:
            raise Problem(400, "invalid-key", "an id or Idempotency-Key is not 1 to 128 visible ASCII characters")
    key = key or uuid4().hex
    # The space keeps numbered keys apart from those that callers choose.
    numbered = [key] if len(publications) == 1 else [f"{key} {index}" for index in range(len(publications))]
    return [publication.id or other for publication, other in zip(publications, numbered, strict=True)]


async def _store(edge: Edge, messages: list[tuple[str, bytes, dict[str, str]]]) -> list[str]:
    publishing = (edge.jetstream.publish_event(*message) for message in messages)
    results = await asyncio.gather(*publishing, return_exceptions=True)
    log = edge.engine.log
    ids: list[str] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        ids.append(str(log.position(result)))
    return ids


def _decode(body: bytes, *, lines: bool) -> list[Publication]:
    try:
        body.decode()
        if lines:
            publications = _decode_lines(body)
        else:
            publications = _many.decode(body) if body.lstrip()[:1] == b"[" else [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        expected = "is not an event on each line" if lines else "is not an event, nor a list of events"
        raise InvalidData(f"the body {expected}: {error}; an event's fields are {_FIELDS}") from None
    if not 0 < len(publications) <= MAX_EVENTS:
        raise InvalidData(f"the body has {len(publications)} events, 1 to {MAX_EVENTS} are allowed")
    return publications


def _decode_lines(body: bytes) -> list[Publication]:
    publications = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            try:
                publications.append(_one.decode(line))
            except msgspec.DecodeError as error:
                raise msgspec.DecodeError(f"line {number}: {error}") from None
    return publications


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
