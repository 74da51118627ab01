"""Verifiers, and tokens that they should refuse."""

import base64
import hmac
import json
from typing import Any

import pytest
from edge.auth.samples import (
    AUDIENCE,
    ISSUER,
    SECRET,
    make_private,
)
from tailrace_edge.auth.errors import Reason, Unauthenticated
from tailrace_edge.auth.keys import make_public_key, make_secret_key
from tailrace_edge.auth.rules import parse_rules
from tailrace_edge.auth.tokens import Verifier

RSA = make_private("RSA")
OTHER = make_private("RSA", 1)
RULES = parse_rules("tenant = acme\nsubscribe = users.{sub}.>")


def make_verifier(*kinds: str, **options: Any) -> Verifier:
    """Return one with the public keys of these kinds, or with the secret."""
    keys = [make_public_key(make_private(kind).public_key()) for kind in kinds] or [make_secret_key(SECRET)]
    return Verifier(keys, ISSUER, AUDIENCE, **options)


async def refuse(verifier: Verifier, token: str) -> Reason:
    """Return why a token is refused, which is told without the token."""
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    message = str(caught.value)
    assert not any(part in message for part in token.split(".") if len(part) > 8)
    assert message.isprintable()
    return caught.value.reason


def forge(header: dict[str, Any], claims: Any, key: bytes | None = None) -> str:
    """Return a token as no library makes it, signed with HMAC-SHA256 if there is a key."""
    signing = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signing}.{encode(hmac.digest(key, signing.encode(), 'sha256')) if key else ''}"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
