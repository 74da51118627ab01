"""The guard: finds out who sends a request, and whether they may do what it asks for."""

from __future__ import annotations

from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from tailrace_edge.auth.errors import Forbidden, Reason, Unauthenticated
from tailrace_edge.auth.jwks import KeySet, parse_source
from tailrace_edge.auth.keys import load_public_key, make_secret_key
from tailrace_edge.auth.principal import Principal
from tailrace_edge.auth.rights import covers
from tailrace_edge.auth.rules import parse_rules
from tailrace_edge.auth.tickets import Tickets
from tailrace_edge.auth.tokens import Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Scope

    from tailrace_edge.settings import Settings

ANYBODY = Principal(name="", tenants={}, expires=None)
"""Who sends a request where nobody is asked for a token."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_OF_PROXIES = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
"""Headers by which a request shows that it is passed on for somebody else."""


class Right(StrEnum):
    """What a request does."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    DELETE = "delete"
    CANCEL = "cancel"


class Stream(NamedTuple):
    """What a ticket is bound to.

    Attributes:
        tenant: from the path.
        patterns: without the tenant, as the stream was asked for, sorted.
        start: where it begins, as it was asked for.
    """

    tenant: str
    patterns: tuple[str, ...]
    start: str


class Guard:
    """Lets requests in, by token, cookie or ticket."""

    def __init__(
        self,
        verifier: Verifier | None = None,
        tickets: Tickets | None = None,
        *,
        cookie: str = "",
        origins: Sequence[str] = (),
    ) -> None:
        """Make a guard.

        Args:
            verifier: of tokens; None lets everybody do everything.
            tickets: None if there are none.
            cookie: name of the one that may carry a token; empty for none.
            origins: besides the edge's own, whose pages may use it.
        """
        self._verifier = verifier
        self._tickets = tickets
        self._cookie = cookie
        self._origins = frozenset(origins)

    @property
    def tickets(self) -> Tickets:
        """Those that this edge gives out.

        Raises:
            Forbidden: it gives out none.
        """
        if self._tickets is None:
            raise Forbidden("this edge gives out no tickets: set TAILRACE_TICKET_SECRET, the same on all edges")
        return self._tickets

    async def warm(self) -> None:
        """Ask for the keys that issuers publish, so that the first token need not wait."""
        if self._verifier is not None:
            await self._verifier.warm()

    async def close(self) -> None:
        """Close what keys are asked for with."""
        if self._verifier is not None:
            await self._verifier.close()

    async def authenticate(self, scope: Scope) -> Principal:
        """Return who sends a request.

        Raises:
            Unauthenticated: nobody says so, or the token is not good.
            Forbidden: the token is in a cookie, and the page that sends it is not one of ours.
        """
        if self._verifier is None:
            return ANYBODY
        token = _find_bearer(scope) or self._find_cookie(scope)
        if token is None:
            raise Unauthenticated(
                Reason.MISSING, "there is no token: send `Authorization: Bearer <token>`, or a ticket to open a stream"
            )
        return await self._verifier.verify(token)

    async def admit(self, scope: Scope, stream: Stream, ticket: str) -> Principal:
        """Return who opens a stream that may be opened.

        Raises:
            Unauthenticated: as of `authenticate`, or the ticket is not good for this stream.
            Forbidden: it is not within the rights.
        """
        if self._verifier is not None and ticket and self._tickets is not None and _find_bearer(scope) is None:
            return self._tickets.check(ticket, stream.tenant, stream.patterns, stream.start)
        principal = await self.authenticate(scope)
        self.authorize(principal, stream.tenant, Right.SUBSCRIBE, stream.patterns)
        return principal

    async def admit_operator(self, scope: Scope) -> None:
        """Return if somebody may see what the edges are doing, which names no tenant.

        That is whoever has a good token, of whatever tenant, or asks from the edge's own machine.

        Raises:
            Unauthenticated: as of `authenticate`.
            Forbidden: the same.
        """
        if not _is_local(scope):
            await self.authenticate(scope)

    def authorize(self, principal: Principal, tenant: str, right: Right, patterns: Sequence[str]) -> None:
        """Return if somebody has a right to all topics of all the patterns.

        Args:
            principal: from `authenticate`.
            tenant: from the path.
            right: what is asked for.
            patterns: without the tenant.

        Raises:
            Forbidden: they have not.
        """
        if self._verifier is None:
            return
        rights = principal.tenants.get(tenant)
        if rights is None:
            raise Forbidden(f"the token is not for the tenant {tenant!r}")
        granted: tuple[str, ...] = getattr(rights, right.value)
        for pattern in patterns:
            if not covers(granted, pattern):
                raise Forbidden(f"the token does not let you {right} {pattern!r}")

    def _find_cookie(self, scope: Scope) -> str | None:
        if not self._cookie:
            return None
        cookies: SimpleCookie = SimpleCookie()
        for value in _find_headers(scope, b"cookie"):
            try:
                cookies.load(value)
            except CookieError:
                raise Unauthenticated(Reason.MALFORMED, "the Cookie header cannot be read") from None
        if self._cookie not in cookies:
            return None
        self._check_origin(scope)
        return cookies[self._cookie].value

    def _check_origin(self, scope: Scope) -> None:
        """Keep pages of others from using a cookie that the browser sends along for them."""
        origins = _find_headers(scope, b"origin")
        if not origins and scope["method"] in _SAFE:
            return  # a page of the same origin, or one that cannot read the answer
        own = {f"{scheme}://{host}" for host in _find_headers(scope, b"host") for scheme in ("http", "https")}
        if len(origins) != 1 or origins[0] not in self._origins | own:
            raise Forbidden("a token in a cookie is taken from the edge's own pages only, and those of cors_origins")


def make_guard(settings: Settings) -> Guard:
    """Return the guard that the settings ask for.

    Raises:
        SetupError: a key, a rule or a URL cannot be what it was given as, or they do not go together.
    """
    if settings.auth == "none":
        return Guard()
    keys = [load_public_key(path) for path in settings.jwt_key_files]
    if secret := settings.jwt_secret.get_secret_value():
        keys.append(make_secret_key(secret))
    verifier = Verifier(
        keys,
        settings.jwt_issuers,
        settings.jwt_audience,
        key_sets=[KeySet(parse_source(source)) for source in settings.jwks_urls],
        leeway=settings.jwt_leeway,
        rules=parse_rules(settings.auth_rules) if settings.auth_rules.strip() else None,
    )
    ticket_secret = settings.ticket_secret.get_secret_value()
    tickets = Tickets(ticket_secret, name="ticket_secret") if ticket_secret else None
    return Guard(verifier, tickets, cookie=settings.auth_cookie, origins=settings.cors_origins)


def _is_local(scope: Scope) -> bool:
    """Return whether a request was sent on the edge's own machine, and not passed on by a proxy there."""
    client = scope.get("client")
    if not client or any(name in _OF_PROXIES for name, _ in scope["headers"]):
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _find_bearer(scope: Scope) -> str | None:
    values = _find_headers(scope, b"authorization")
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(Reason.MALFORMED, "the Authorization header has to be one, of the form `Bearer <token>`")
    return token.strip()


def _find_headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
