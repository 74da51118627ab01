"""Tickets: good for half a minute and one stream, for those who cannot send a header (native EventSource).

A ticket is a JSON Web Token of its own kind: signed with a key that is derived from the secret, with its own `typ` and
`aud`, so that no ticket is ever taken for a token, nor a token for a ticket. Any edge that has the secret takes it.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import jwt
import msgspec
from jwt import exceptions

from tailrace_edge.auth.errors import Forbidden, Reason, Unauthenticated
from tailrace_edge.auth.keys import read_secret
from tailrace_edge.auth.principal import Principal
from tailrace_edge.auth.rights import Rights

_ALGORITHM = "HS256"
_TYPE = "tailrace-ticket+jwt"
_AUDIENCE = "urn:tailrace:ticket"
_MAX_BYTES = 8 * 1024


class _Claims(msgspec.Struct):
    sub: str
    stream: str
    """A digest of what it is for."""
    until: float | None = None
    """When the token expires that it was given for."""


class Tickets:
    """Makes tickets and checks them.

    Attributes:
        ttl: seconds for which one is good.
    """

    def __init__(
        self,
        secret: str,
        ttl: float = 30.0,
        *,
        name: str = "TAILRACE_TICKET_SECRET",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make one with the secret that all edges share.

        Args:
            secret: at least 32 bytes.
            ttl: seconds; long enough for a page to open its stream.
            name: of the secret's setting, for the error.
            clock: Unix seconds, from which a ticket's end is counted.

        Raises:
            SetupError: the secret is too short.
        """
        self._key = hmac.digest(read_secret(secret, name=name), b"tailrace ticket", "sha256")
        self.ttl = ttl
        self._clock = clock

    def mint(self, principal: Principal, tenant: str, patterns: Iterable[str], start: str) -> str:
        """Return a ticket for one stream, to a principal who may read it: that is the caller's to check.

        Args:
            principal: who gets it, and until when their token is good.
            tenant: of the stream.
            patterns: that it watches; their order makes no difference.
            start: where it begins, as it stands in the query.
        """
        ends = self._clock() + self.ttl
        if principal.expires is not None:
            ends = min(ends, principal.expires)
        claims = _Claims(principal.name, _digest(tenant, patterns, start), principal.expires)
        payload = msgspec.to_builtins(claims) | {"aud": _AUDIENCE, "exp": math.ceil(ends)}
        return jwt.encode(payload, self._key, algorithm=_ALGORITHM, headers={"typ": _TYPE})

    def check(self, ticket: str, tenant: str, patterns: Iterable[str], start: str) -> Principal:
        """Return who was given the ticket; they may subscribe to these patterns and nothing else.

        Args:
            ticket: as it came.
            tenant: of the stream asked for.
            patterns: that it watches.
            start: where it begins.

        Raises:
            Unauthenticated: it is no ticket, or its time is over.
            Forbidden: it is for another stream.
        """
        patterns = tuple(patterns)
        claims = self._decode(ticket)
        if not hmac.compare_digest(claims.stream, _digest(tenant, patterns, start)):
            raise Forbidden(
                "the ticket is for another stream: tenant, topics and start have to be those that it was asked for with"
            )
        return Principal(claims.sub, {tenant: Rights(subscribe=patterns)}, claims.until)

    def _decode(self, ticket: str) -> _Claims:
        if len(ticket) > _MAX_BYTES or not ticket.isascii():
            raise _malformed()
        try:
            decoded: dict[str, Any] = jwt.decode_complete(
                ticket,
                self._key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["exp", "aud"], "enforce_minimum_key_length": True},
            )
            if decoded["header"].get("typ") != _TYPE:
                raise _malformed()
            return msgspec.convert(decoded["payload"], _Claims)
        except exceptions.ExpiredSignatureError:
            raise Unauthenticated(
                Reason.EXPIRED, "the ticket has expired: ask for a new one for each connect"
            ) from None
        except exceptions.InvalidSignatureError:
            raise Unauthenticated(
                Reason.BAD_SIGNATURE, "the ticket was not made by an edge with this secret: ask for a new one"
            ) from None
        except (exceptions.InvalidTokenError, msgspec.ValidationError):
            raise _malformed() from None


def _digest(tenant: str, patterns: Iterable[str], start: str) -> str:
    stream = msgspec.json.encode([tenant, sorted(set(patterns)), start])
    return hashlib.sha256(stream).hexdigest()


def _malformed() -> Unauthenticated:
    return Unauthenticated(Reason.MALFORMED, "this is not a ticket: POST /v1/{tenant}/tickets gives one")
