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
        "503": _problem("The edge drains, or the broker does not answer; come back after `Retry-After` seconds."),
    },
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
    },
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


class DescribedApp(FastAPI):
    """FastAPI, whose description is complete."""

    def openapi(self) -> dict[str, Any]:
        """Return the description in OpenAPI's form, made once."""
        document = super().openapi()
        if "get" not in document["paths"]["/v1/{tenant}/events"]:
            document["paths"]["/v1/{tenant}/events"]["get"] = _STREAM
            document["components"]["schemas"] |= {"Publication": _PUBLICATION, "Problem": _PROBLEM}
        return document
