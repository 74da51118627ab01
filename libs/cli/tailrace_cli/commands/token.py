"""`tailrace token`: make a token, or tell what one says."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tailrace_protocol.errors import SetupError
from tailrace_protocol.tenants import DEFAULT_TENANT

from tailrace_cli.commands.edge import read_settings
from tailrace_cli.options import Tenant

if TYPE_CHECKING:
    from tailrace_edge.auth.rights import Rights

_SECRET = "TAILRACE_JWT_SECRET"
_KEY_FILES = "TAILRACE_JWT_KEY_FILES"
_KEY_SETS = "TAILRACE_JWKS_URLS"
_RULES = "TAILRACE_AUTH_RULES"
_MAX_TTL = 10 * 365 * 24 * 3600
_TIMES = ("iat", "nbf", "exp")
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"))

Patterns = list[str] | None


def command(
    tenant: Tenant = DEFAULT_TENANT,
    subscribe: Annotated[Patterns, typer.Option(metavar="PATTERN", help="What may be followed and read.")] = None,
    publish: Annotated[Patterns, typer.Option(metavar="PATTERN", help="What may be published to.")] = None,
    delete: Annotated[Patterns, typer.Option(metavar="PATTERN", help="What may be deleted.")] = None,
    cancel: Annotated[Patterns, typer.Option(metavar="PATTERN", help="Jobs that may be cancelled.")] = None,
    sub: Annotated[str | None, typer.Option(metavar="NAME", help="Who gets it; stands in logs and limits.")] = None,
    ttl: Annotated[float, typer.Option(min=1, max=_MAX_TTL, metavar="S", help="Seconds until it expires.")] = 3600.0,
    issuer: Annotated[
        str | None,
        typer.Option(envvar="TAILRACE_JWT_ISSUERS", help="Its `iss`; of several the first.", show_default="none"),
    ] = None,
    audience: Annotated[
        str | None,
        typer.Option(envvar="TAILRACE_JWT_AUDIENCE", help="Its `aud`; of several the first.", show_default="none"),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Tell what this token says, or that on standard input for -."),
    ] = None,
) -> None:
    """Print a token, signed with the secret in TAILRACE_JWT_SECRET; nothing else is on standard output.

    Options with patterns can be given several times.

    With --explain nothing is made: it tells what a token says, and whether an edge with the same TAILRACE_* variables
    would take it. Nothing is sent anywhere. The status is 1 if it is not valid.

    Examples:  [bold]tailrace token --tenant acme --subscribe 'users.7.>' --sub 7 --ttl 900[/bold]

    [bold]tailrace token --explain - < token.txt[/bold]
    """
    if explain is not None:
        _explain(sys.stdin.read().strip() if explain == "-" else explain)
        return
    # PyJWT and cryptography take longer to import than the other commands to run.
    from tailrace_edge.auth.rights import Rights  # noqa: PLC0415
    from tailrace_edge.auth.tokens import ANY_AUDIENCE, mint_token  # noqa: PLC0415

    rights = Rights(tuple(subscribe or ()), tuple(publish or ()), tuple(delete or ()), tuple(cancel or ()))
    if not any(rights):
        raise typer.BadParameter("the token would grant nothing: give --subscribe or another right a pattern.")
    intended = _take_first(audience)
    minted = mint_token(
        _read_secret(),
        tenant,
        rights,
        name=sub,
        ttl=ttl,
        issuer=_take_first(issuer),
        audience=None if intended == ANY_AUDIENCE else intended,
    )
    typer.echo(minted)


def _read_secret() -> str:
    secret = os.environ.get(_SECRET)
    if not secret:
        raise SetupError(
            f"{_SECRET} is not set: set it to the secret that the edges have, 32 bytes at least; "
            "make one with: openssl rand -base64 48"
        )
    return secret


def _take_first(names: str | None) -> str | None:
    return ((names or "").split(",")[0].strip()) or None


def _explain(token: str) -> None:
    from tailrace_edge.auth.errors import Unauthenticated  # noqa: PLC0415  # as above
    from tailrace_edge.auth.tokens import read_token  # noqa: PLC0415

    header, claims = read_token(token)
    now = time.time()
    rows = [("header", _write(header))]
    rows += [(_write_name(name), _write_claim(name, value, now)) for name, value in claims.items()]
    for name, text in rows:
        typer.echo(f"{name:<12} {text}")
    typer.echo()
    try:
        for line in _describe_rights(claims):
            typer.echo(line)
        verdict = _judge(token, header, claims, now)
    except Unauthenticated as error:
        typer.echo(f"not valid    {error.reason}: {error}")
        raise typer.Exit(1) from None
    typer.echo(verdict)


def _describe_rights(claims: Mapping[str, Any]) -> Iterator[str]:
    tenants = _read_tenants(claims)
    if not tenants:
        yield f"opens        no tenant: {f'see {_RULES}' if os.environ.get(_RULES) else 'it has no claim `tenant`'}"
    for tenant, rights in tenants.items():
        yield f"opens        the tenant {tenant}"
        for right, patterns in rights._asdict().items():
            yield f"  {right:<10} {', '.join(map(_write_name, patterns)) or 'nothing'}"


def _read_tenants(claims: Mapping[str, Any]) -> "dict[str, Rights]":
    from tailrace_edge.auth.rules import parse_rules  # noqa: PLC0415  # as above
    from tailrace_edge.auth.tokens import read_grant  # noqa: PLC0415

    rules = os.environ.get(_RULES, "")
    return parse_rules(rules).apply(claims) if rules.strip() else read_grant(claims)


def _judge(token: str, header: Mapping[str, Any], claims: Mapping[str, Any], now: float) -> str:
    """Return what is to be said of a token that is not refused; raises Unauthenticated if it is."""
    from tailrace_edge.auth.errors import Reason, Unauthenticated  # noqa: PLC0415  # as above
    from tailrace_edge.auth.guard import make_guard  # noqa: PLC0415
    from tailrace_edge.auth.keys import PUBLIC_ALGORITHMS  # noqa: PLC0415

    elsewhere = os.environ.get(_KEY_SETS) and header.get("alg") in PUBLIC_ALGORITHMS
    if not elsewhere and (os.environ.get(_SECRET) or os.environ.get(_KEY_FILES)):
        guard = make_guard(read_settings({"auth": "jwt", "jwks_urls": ()}))
        scope = {"type": "http", "method": "GET", "headers": [(b"authorization", f"Bearer {token}".encode())]}
        asyncio.run(guard.authenticate(scope))
        return f"valid        signed with a key in {_SECRET} or {_KEY_FILES}"
    expiry = claims.get("exp")
    if not isinstance(expiry, int | float) or expiry <= now:
        raise Unauthenticated(Reason.EXPIRED, "the token has expired, or never expires, which no edge takes")
    remedy = (
        f"the keys at {_KEY_SETS} are not asked for"
        if elsewhere
        else f"set {_SECRET} or {_KEY_FILES} as the edges have it"
    )
    return f"not checked  it has not expired, but who signed it is not known: {remedy}"


def _write_claim(name: str, value: Any, now: float) -> str:
    if name not in _TIMES or isinstance(value, bool) or not isinstance(value, int | float):
        return _write(value)
    try:
        time_ = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return _write(value)
    return f"{time_:%Y-%m-%d %H:%M:%S} UTC, {_write_distance(value - now)}"


def _write_distance(seconds: float) -> str:
    size, unit = next((step for step in _STEPS if abs(seconds) >= 2 * step[0]), (1, "s"))
    amount = f"{abs(seconds) / size:.0f} {unit}"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def _write(value: Any) -> str:
    # Escaped, so that no token can send commands to a terminal.
    return json.dumps(value)


def _write_name(name: str) -> str:
    return json.dumps(name)[1:-1]
