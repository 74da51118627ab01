"""Problems: every error answer is `application/problem+json` (RFC 9457), never `text/event-stream`."""

from collections import Counter
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from tailrace_protocol.errors import EventTooLarge, InvalidInput, InvalidPattern

from tailrace_edge.auth.errors import Forbidden, KeysUnavailable, Reason, Unauthenticated
from tailrace_edge.jetstream import JetStreamError, JetStreamUnavailable

MEDIA_TYPE = "application/problem+json"

_RETRY_AFTER = "2"

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """An error answer."""

    def __init__(
        self, status: int, slug: str, detail: str, *, headers: dict[str, str] | None = None, limit: str = ""
    ) -> None:
        """Make an answer to raise or to render.

        Args:
            status: of HTTP.
            slug: names the kind of problem, for programs.
            detail: what was wrong, what was expected and what to do, for people.
            headers: besides the content type.
            limit: the setting that refuses it, for the metrics; empty if none does.
        """
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.headers = headers or {}
        self.limit = limit

    def encode(self) -> bytes:
        """Return the body."""
        return msgspec.json.encode(
            {
                "type": f"urn:tailrace:problem:{self.slug}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
            }
        )

    def count(self, refusals: Counter[str]) -> None:
        """Count it where it is answered, if a limit is what refuses."""
        if self.limit:
            refusals[self.limit] += 1

    def render(self) -> Response:
        """Return the answer."""
        headers = {"cache-control": "no-store"} | self.headers
        return Response(self.encode(), self.status, headers, MEDIA_TYPE)


class LimitExceeded(InvalidPattern):
    """More patterns or topics are asked for than the edge allows.

    Attributes:
        limit: the setting's name.
    """

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


def describe(error: Exception) -> Problem:
    """Return the answer for any error that a call may end with."""
    match error:
        case Problem():
            return error
        case InvalidInput():
            return _describe_input(error)
        case Unauthenticated():
            return Problem(401, f"token-{error.reason}", str(error), headers={"www-authenticate": _challenge(error)})
        case Forbidden():
            return Problem(403, "forbidden", str(error))
        case KeysUnavailable():
            return Problem(503, "keys-unavailable", str(error), headers={"retry-after": _RETRY_AFTER})
        case JetStreamUnavailable():
            return Problem(503, "broker-unavailable", str(error), headers={"retry-after": _RETRY_AFTER})
        case JetStreamError():
            return Problem(503, "broker-refused", str(error), headers={"retry-after": _RETRY_AFTER})
        case HTTPException():
            detail = f"{error.detail}: /docs and /openapi.json list what can be asked for, and how"
            return Problem(error.status_code, "http", detail, headers=dict(error.headers or {}))
        case ClientDisconnect():
            return Problem(400, "incomplete", "the request ended before its body did")
        case RequestValidationError():
            return Problem(400, "invalid-request", _describe_validation(error))
        case _:
            return Problem(500, "internal", "the edge failed; its log says why")


def _describe_input(error: InvalidInput) -> Problem:
    match error:
        case EventTooLarge():
            return Problem(413, "event-too-large", str(error))
        case LimitExceeded():
            return Problem(400, "invalid-pattern", str(error), limit=error.limit)
        case _:
            return Problem(400, _slug(error), str(error))


def _challenge(error: Unauthenticated) -> str:
    """Return what RFC 6750, 3 wants: without a token, no error."""
    if error.reason is Reason.MISSING:
        return "Bearer"
    return f'Bearer error="invalid_token", error_description="{error.reason}"'


def install_problems(app: FastAPI, refusals: Counter[str]) -> None:
    """Have all errors of an app answered as problems, and those of limits counted."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = describe(error)
        problem.count(refusals)
        if problem.status == 405:
            problem.headers = {"allow": ", ".join(_find_methods(request))}
        if problem.status == 500:
            _log.error("request failed", path=request.url.path, exc_info=error)
        return problem.render()

    for kind in (
        *(Problem, InvalidInput, Unauthenticated, Forbidden, KeysUnavailable, JetStreamUnavailable, JetStreamError),
        *(HTTPException, RequestValidationError, ClientDisconnect, Exception),
    ):
        app.add_exception_handler(kind, answer)


def _find_methods(request: Request) -> list[str]:
    """Return what may be done with a path: of all its routes, Starlette names the first one's methods only."""
    routes = request.app.router.routes
    return [
        method
        for method in ("GET", "POST", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def _describe_validation(error: RequestValidationError) -> str:
    parts = (f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}" for found in error.errors())
    return "; ".join(parts)


def _slug(error: InvalidInput) -> str:
    """Return `invalid-topic` for InvalidTopic."""
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in type(error).__name__).strip("-")
