"""An edge that asks for tokens, and what gets in there: tokens, headers, streams."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from support.edge import EdgeProcess
from support.stream import RawStream

SECRET = "a secret of the tests, which is long enough for HS512: 64 bytes!!"
TICKET_SECRET = "another secret of the tests, for tickets alone"
PAGE = "https://app.example"
DAY = 86_400
"""Seconds: attacks are made when the tests are collected, and may have their turn long after that."""

_RSA = generate_private_key(65537, 2048)
PUBLIC = _RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PRIVATE = _RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_claims(**claims: Any) -> dict[str, Any]:
    known = {
        "sub": "alice",
        "tenant": "acme",
        "subscribe": ["users.alice.>", "news.*"],
        "publish": ["users.alice.>"],
        "delete": ["users.alice.drafts.*"],
        "cancel": ["users.alice.jobs.*"],
        "iss": "https://id.example",
        "aud": "tailrace",
        "exp": int(time.time()) + DAY,
    }
    return {name: value for name, value in (known | claims).items() if value is not None}


def sign(
    key: str | bytes = SECRET, algorithm: str = "HS256", header: dict[str, Any] | None = None, **claims: Any
) -> str:
    return jwt.encode(make_claims(**claims), key, algorithm, headers=header)


def make_headers(token: str | None, options: Mapping[str, Any]) -> httpx.Headers:
    headers = httpx.Headers(options.get("headers"))
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return headers


def check_log(edge: EdgeProcess, tokens: list[str]) -> None:
    """No token stands in the log, nor the part of one that is worth something."""
    log = edge.log_path.read_text()
    assert SECRET not in log
    assert TICKET_SECRET not in log
    for token in tokens:
        signature = token.rpartition(".")[2]
        assert token not in log
        assert len(signature) < 10 or signature not in log


class open_guarded:  # noqa: N801  # reads as a function
    """A stream of an edge, with headers."""

    def __init__(self, edge: EdgeProcess, query: str, headers: httpx.Headers, tenant: str = "acme") -> None:
        self._edge = edge
        lines = [f"GET /v1/{tenant}/events?{query} HTTP/1.1", f"host: 127.0.0.1:{edge.port}"]
        self._request = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""])

    async def __aenter__(self) -> RawStream:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._edge.port)
        self._writer.write(self._request.encode())
        stream = RawStream(reader, self._writer)
        await stream.read_head()
        return stream

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()
