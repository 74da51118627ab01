"""`POST /v1/{tenant}/tickets`: for clients that can send no header, such as native EventSource."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from tailrace_protocol.errors import InvalidData
from tailrace_protocol.starts import parse_start

from tailrace_edge.auth.guard import Right
from tailrace_edge.query import parse_paths
from tailrace_edge.routes.answers import Caller, OpenEdge, answer_json
from tailrace_edge.routes.events import read_body

router = APIRouter(tags=["tickets"])


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What a ticket is asked for."""

    topics: list[str]
    from_: str = "now"


_decoder = msgspec.json.Decoder(Wish)

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}},
    }
}


@router.post("/v1/{tenant}/tickets", status_code=201, summary="A ticket for a stream", openapi_extra=_BODY)
async def make_ticket(tenant: str, request: Request, caller: Caller, edge: OpenEdge) -> Response:
    """Return `ticket`, to be sent as `ticket=` in the query of one stream, and `expires_in`, its seconds.

    It is good at any edge, for exactly these topics and this start, within the rights of the token it was asked for
    with, and for opening streams only: how long one then lasts is up to that token.
    """
    try:
        wish = _decoder.decode(await read_body(request, edge.settings.max_body_bytes))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidData(f"the body is not of the form {{'topics': [...], 'from': 'now'}}: {error}") from None
    paths = parse_paths(tenant, wish.topics, edge.settings.max_patterns)
    parse_start(wish.from_)
    caller.require(tenant, Right.SUBSCRIBE, paths)
    patterns = tuple(path.removeprefix(f"{tenant}.") for path in paths)
    tickets = caller.guard.tickets
    ticket = tickets.mint(caller.principal, tenant, patterns, wish.from_)
    return answer_json({"ticket": ticket, "expires_in": tickets.ttl}, 201)
