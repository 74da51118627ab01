"""`/console`: a page for the people who run and debug this. Files of the package, and nothing from elsewhere."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from tailrace_edge.edge import Edge
from tailrace_edge.problems import Problem
from tailrace_edge.routes.answers import answer_json

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HEADERS = {
    # Nothing inline, nothing of other origins, and no text of an event is ever taken for markup.
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cache-control": "no-cache",  # asked again each time, and answered by 304: after an upgrade no old part is left
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

router = APIRouter(include_in_schema=False)


class _File(NamedTuple):
    content: bytes
    content_type: str
    tag: str


@cache
def _list_files() -> dict[str, _File]:
    found = {}
    for path in files("tailrace_edge").joinpath("console").iterdir():
        content_type = _TYPES.get(f".{path.name.rpartition('.')[2]}")
        if content_type is not None:
            content = path.read_bytes()
            found[path.name] = _File(content, content_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


@router.get("/console")
async def show_console(request: Request) -> Response:
    """Return the page."""
    return _answer(request, "index.html")


@router.get("/console/settings.json")
async def read_settings(request: Request) -> Response:
    """Return what the page has to know of this edge: whether it wants tokens, and whether it takes faults."""
    settings = cast("Edge", request.app.state.edge).settings
    return answer_json({"auth": settings.auth, "faults": settings.faults, "heartbeat": settings.heartbeat})


@router.get("/console/{name}")
async def read_file(request: Request, name: str) -> Response:
    """Return a part of the page."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = _list_files().get(name)
    if file is None:
        raise Problem(404, "no-such-file", f"the console has no file {name!r}; its page is at /console")
    headers = _HEADERS | {"etag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.content_type)
