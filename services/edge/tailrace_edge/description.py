"""The description: what OpenAPI cannot learn from FastAPI's routes, the stream, and the body that msgspec reads."""

from typing import Any

from fastapi import FastAPI
from tailrace_protocol.events import MESSAGE
from tailrace_protocol.topics import MAX_BYTES

from tailrace_edge.problems import MEDIA_TYPE
from tailrace_edge.query import MEDIA_TYPES


def _parameter(name: str, place: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": {"type": "string"} | schema,
    }


def _problem(description: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


_UNAUTHENTICATED = "There is no token, or it is not good; the detail says why."
_FORBIDDEN = "The token has no right to that."
_LIMITED = "A limit is reached; come back after `Retry-After` seconds."

_TOPICS: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1}

_STREAM: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Stream events",
    "description": (
        "Events in order, from where it says on, until one side closes. Coming back with the id of the last event seen "
        "misses nothing. Control events have the type `tailrace`."
    ),
    "operationId": "stream_events",
    "parameters": [
        _parameter("tenant", "path", "The customer."),
        _parameter("topic", "query", "Topic or pattern; several are allowed.", **_TOPICS) | {"required": True},
        _parameter("from", "query", "now, last, start, an event id, a time, or a time ago (-10m).", default="now"),
        _parameter("last_event_id", "query", "As the header, which wins."),
        _parameter("types", "query", "Only events of these types, separated by commas."),
        _parameter(
            "max_rate",
            "query",
            "Events a second and topic; the newest wins.",
            type="number",
            minimum=0.001,
            maximum=1000,
        ),
        _parameter("until", "query", "`terminal`: end after the last watched job has ended.", enum=["terminal"]),
        _parameter("ticket", "query", "Of `POST /v1/{tenant}/tickets`, for clients that can send no header."),
        _parameter("Last-Event-ID", "header", "Id of the last event seen; wins over `from`."),
    ],
    "responses": {
        "200": {
            "description": "The stream, as server-sent events, or as lines of JSON if that is what `Accept` names.",
            "content": {
                media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()
            },
        },
        "204": {"description": "With `until=terminal`: all watched jobs have ended, and everything was seen."},
        "400": _problem("A topic, an id or a field of the query cannot be one."),
        "401": _problem(_UNAUTHENTICATED),
        "403": _problem(_FORBIDDEN),
        "429": _problem(_LIMITED),
        "503": _problem("The edge drains or is full, or the broker does not answer; come back after `Retry-After`."),
    },
    "security": [{"token": []}, {}],
}

_PUBLICATION: dict[str, Any] = {
    "type": "object",
    "description": "One event to publish.",
    "required": ["topic"],
    "additionalProperties": False,
    "properties": {
        "topic": {"type": "string", "maxLength": MAX_BYTES},
        "type": {"type": "string", "default": MESSAGE},
        "data": {"description": "Any JSON."},
        "id": {
            "type": "string",
            "description": "Your own; a second event with it is not stored.",
            "pattern": "^[!-~]{1,128}$",
        },
    },
}

_WISH: dict[str, Any] = {
    "type": "object",
    "description": "What a ticket is asked for.",
    "required": ["topics"],
    "additionalProperties": False,
    "properties": {
        "topics": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "from": {"type": "string", "default": "now", "description": "As in the stream's query."},
    },
}

_TOKEN: dict[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Needed where the edge has `auth=jwt`.",
}

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


_ANSWERS = {
    "400": _problem("The tenant, a topic, a field or the body cannot be one."),
    "401": _problem(_UNAUTHENTICATED),
    "403": _problem(_FORBIDDEN),
    "429": _problem(_LIMITED),
    "404": _problem("There is no such topic or job, or it was deleted."),
    "409": _problem("The job has ended, or no worker answers for it."),
    "410": _problem("The id is of another stream, or ahead of this one."),
    "413": _problem("The event or the body is too large."),
    "503": _problem("The broker does not answer; come back after `Retry-After` seconds."),
}


def _list_statuses(path: str, method: str) -> list[str]:
    """Return the error statuses of a route."""
    if path in ("/readyz", "/livez"):
        return ["503"]
    if not path.startswith("/v1/{tenant}/"):
        return ["400", "401", "403", "503"] if path == "/v1/stats" else []
    statuses = ["400", "401", "403", "503"]
    if path.endswith("/cancel"):
        return [*statuses, "404", "409"]
    if method == "post":
        return [*statuses, "413", "429"]
    if path.endswith("/history"):
        return [*statuses, "410"]
    return [*statuses, "404"] if path.endswith("}") else statuses


def _describe_errors(paths: dict[str, dict[str, Any]]) -> None:
    for path, methods in paths.items():
        for method, operation in methods.items():
            operation["responses"].pop("422", None)  # FastAPI's own; here it is 400
            operation["responses"] |= {status: _ANSWERS[status] for status in _list_statuses(path, method)}
            if path.startswith("/v1/"):
                operation["security"] = [{"token": []}, {}]


class DescribedApp(FastAPI):
    """FastAPI, whose description is complete."""

    def openapi(self) -> dict[str, Any]:
        """Return the description in OpenAPI's form, made once."""
        document = super().openapi()
        if "get" not in document["paths"]["/v1/{tenant}/events"]:
            _describe_errors(document["paths"])
            document["paths"]["/v1/{tenant}/events"]["get"] = _STREAM
            document["components"]["schemas"] |= {"Publication": _PUBLICATION, "Wish": _WISH, "Problem": _PROBLEM}
            document["components"]["securitySchemes"] = {"token": _TOKEN}
        return document
