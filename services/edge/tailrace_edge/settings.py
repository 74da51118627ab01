"""Settings of an edge: each is an option of `tailrace edge` and a variable `TAILRACE_*`."""

import os
import re
import socket
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from tailrace_protocol.errors import SetupError

from tailrace_edge.engine.limits import Limits
from tailrace_edge.login import Login

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Limit = Annotated[int, Field(ge=0)]


_PREFIX = "TAILRACE_"
_OF_COMMANDS = frozenset({"TAILRACE_URL", "TAILRACE_TENANT", "TAILRACE_TOKEN"})
"""Variables that an edge has no use for: those of the command line and of producers."""

_SCHEMES = frozenset({"nats", "tls", "ws", "wss"})
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._~:\[\]-]+|null|\*")


def _default_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


class Settings(BaseSettings):
    """What an edge is started with. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", frozen=True)

    nats_url: Annotated[str, Field(description="Broker, or several separated by commas.")] = "nats://127.0.0.1:4222"
    nats_ca: Annotated[
        str, Field(description="File of who signs the broker's certificate, in PEM; the system's by default.")
    ] = ""
    nats_cert: Annotated[str, Field(description="File of the edge's own certificate for the broker, in PEM.")] = ""
    nats_key: Annotated[str, Field(description="File of its key, if it is not in the same.")] = ""
    nats_credentials: Annotated[
        str, Field(description="File of a login that signs: `.creds`, or the seed of an nkey.")
    ] = ""
    nats_inbox_prefix: Annotated[
        str, Field(description="Subject of answers; by default `_INBOX_<user>` for the user in the URL, else `_INBOX`.")
    ] = ""
    publish_nats_url: Annotated[
        str, Field(description="The same with a user that may publish, where that of `nats_url` may only read.")
    ] = ""
    publish_nats_credentials: Annotated[str, Field(description="File of that user's login, if it signs.")] = ""
    publish_nats_inbox_prefix: Annotated[str, Field(description="Subject of answers to that user.")] = ""
    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 for any that is free.")] = 8080
    reuse_port: Annotated[bool, Field(description="Share the port with other edges (SO_REUSEPORT).")] = False
    name: Annotated[
        str, Field(description="Of this edge, as clients and metrics see it; host and process by default.")
    ] = Field(default_factory=_default_name)
    auth: Annotated[Literal["none", "jwt"], Field(description="Who gets in; `none`, everybody, only on loopback.")] = (
        "none"
    )
    insecure: Annotated[bool, Field(description="Let everybody in on other addresses, too.")] = False
    jwt_secret: Annotated[
        SecretStr, Field(description="Of tokens signed with HS256 (32 bytes at least), HS384 (48) or HS512 (64).")
    ] = SecretStr("")
    jwt_key_files: Annotated[
        tuple[Path, ...], NoDecode, Field(description="Public keys in PEM, separated by commas.")
    ] = ()
    jwks_urls: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="Key sets of issuers, separated by commas: `URL`, or `URL iss=ISSUER` to pin one to it."),
    ] = ()
    jwt_issuers: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="Whose tokens are taken, separated by commas; needed for key sets."),
    ] = ()
    jwt_audience: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="Of which `aud` names one, separated by commas; * for any, none for tokens without."),
    ] = ()
    jwt_leeway: Annotated[float, Field(ge=0, le=300, description="By which clocks may differ.")] = 30.0
    auth_rules: Annotated[
        str, Field(description="Lines that turn claims of other issuers' tokens into rights; see authentication.")
    ] = ""
    auth_cookie: Annotated[str, Field(description="Name of a cookie that may carry a token; empty for none.")] = ""
    ticket_secret: Annotated[SecretStr, Field(description="Of tickets, the same on all edges; empty for none.")] = (
        SecretStr("")
    )
    cors_origins: Annotated[
        tuple[str, ...], NoDecode, Field(description="Origins whose pages may read, separated by commas; * for all.")
    ] = ()
    faults: Annotated[
        bool, Field(description="Development: the console may cause faults; on loopback without authentication only.")
    ] = False

    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="Least level logged.")] = (
        "info"
    )
    log_format: Annotated[
        Literal["auto", "console", "json"], Field(description="Of the logs; auto is console on a terminal, else json.")
    ] = "auto"

    tail_bytes: Annotated[Bytes, Field(description="Memory for the newest events.")] = 128 << 20
    read_back: Annotated[Seconds, Field(description="How much of the past is read at the start.")] = 30.0
    heartbeat: Annotated[Seconds, Field(description="Between two heartbeats of a stream.")] = 15.0
    cursor_interval: Annotated[Seconds, Field(description="Between two `cursor` events of an idle stream.")] = 30.0
    max_age: Annotated[Seconds, Field(description="A stream is rotated after 80 to 100 % of this.")] = 3600.0
    slow_after: Annotated[Seconds, Field(description="Without headway, until a slow reader is closed.")] = 180.0
    lag_after: Annotated[Seconds, Field(description="Behind the head, until a slow reader is told of it.")] = 1.0
    drain_window: Annotated[float, Field(ge=0, description="Over which a stopping edge ends its streams.")] = 10.0
    broker_away: Annotated[Seconds, Field(description="Without the broker, until the edge is not ready.")] = 30.0
    retry: Annotated[Seconds, Field(description="Clients wait about this before they reconnect.")] = 2.0

    send_buffer: Annotated[Bytes, Field(description="Of the kernel, for one stream.")] = 128 << 10
    replay_concurrency: Annotated[Count, Field(description="Readings of JetStream at a time.")] = 2
    max_patterns: Annotated[Count, Field(description="Of one stream.")] = 64
    max_topics: Annotated[Count, Field(description="Of one snapshot (`from=last`, `until=terminal`).")] = 20_000
    max_header_bytes: Annotated[Bytes, Field(description="Of a request's line and headers.")] = 32 << 10
    request_timeout: Annotated[Seconds, Field(description="Until a request has come in full.")] = 60.0
    max_body_bytes: Annotated[Bytes, Field(description="Of a request.")] = 8 << 20

    max_connections: Annotated[Limit, Field(description="Streams on this edge; 0 for what its open files allow.")] = 0
    max_connections_per_tenant: Annotated[Limit, Field(description="The same of one tenant; 0 for no limit.")] = 0
    max_connections_per_principal: Annotated[
        Limit, Field(description="The same of one `sub` of a tenant; 0 for no limit.")
    ] = 0
    max_connections_per_address: Annotated[
        Limit, Field(description="The same from one IPv4 address or IPv6 /64; 0 for no limit.")
    ] = 0
    connects_per_second: Annotated[
        Annotated[float, Field(ge=0)], Field(description="New streams on this edge; 0 for no limit.")
    ] = 0.0
    publishes_per_second: Annotated[
        Annotated[float, Field(ge=0)], Field(description="Events over HTTP, of one tenant; 0 for no limit.")
    ] = 0.0
    max_publishing: Annotated[Count, Field(description="Events over HTTP that wait for the broker at a time.")] = 10_000
    trusted_proxies: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="Networks (CIDR) whose `X-Forwarded-For` is believed, separated by commas."),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: dict[str, object]) -> dict[str, object]:
        for name in ("cors_origins", "trusted_proxies", "jwt_key_files", "jwks_urls", "jwt_issuers", "jwt_audience"):
            listed = values.get(name)
            if isinstance(listed, str):
                values[name] = tuple(item.strip() for item in listed.split(",") if item.strip())
        return values

    @model_validator(mode="after")
    def _check_proxies(self) -> Self:
        for proxy in self.trusted_proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError:
                raise SetupError(
                    f"trusted_proxies has {proxy!r}; networks are written as 10.0.0.0/8 or fd00::/8"
                ) from None
        return self

    @model_validator(mode="after")
    def _check_origins(self) -> Self:
        for origin in self.cors_origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise SetupError(
                    f"cors_origins has {origin!r}, which no browser sends; an origin is scheme, host and port, "
                    "in lower case and without a path: https://app.example or http://localhost:9000"
                )
        return self

    @model_validator(mode="after")
    def _check_servers(self) -> Self:
        for name, url in (("nats_url", self.nats_url), ("publish_nats_url", self.publish_nats_url)):
            servers = url.split(",") if url or name == "nats_url" else []
            for number, server in enumerate(servers, 1):
                if not _is_server(server.strip()):
                    # It is not shown, since it may hold a password.
                    raise SetupError(
                        f"server {number} in {name} is not of the form nats://host:port, or tls://host:port"
                    )
        return self

    @model_validator(mode="after")
    def _check_publisher(self) -> Self:
        if not self.publish_nats_url and (self.publish_nats_credentials or self.publish_nats_inbox_prefix):
            raise SetupError(
                "TAILRACE_PUBLISH_NATS_CREDENTIALS and _INBOX_PREFIX are of the user at TAILRACE_PUBLISH_NATS_URL, "
                "which is not set"
            )
        return self

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        if self.auth == "none" and not _is_loopback(self.host) and not self.insecure:
            raise SetupError(
                f"without authentication an edge listens on loopback only, not on {self.host!r}: "
                "set TAILRACE_AUTH=jwt with a key (docs/authentication.md), use 127.0.0.1, "
                "or let everybody in with --insecure"
            )
        return self

    @model_validator(mode="after")
    def _check_faults(self) -> Self:
        if self.faults and (self.auth != "none" or not _is_loopback(self.host)):
            raise SetupError(
                "faults are for development: an edge takes them on loopback and without authentication only; "
                "unset TAILRACE_FAULTS"
            )
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        keys = bool(self.jwt_secret.get_secret_value() or self.jwt_key_files or self.jwks_urls)
        if self.auth == "jwt" and not keys:
            raise SetupError(
                "with auth=jwt an edge needs keys: set TAILRACE_JWT_SECRET, TAILRACE_JWT_KEY_FILES "
                "or TAILRACE_JWKS_URLS"
            )
        if self.auth == "none" and keys:
            raise SetupError("there are keys for tokens, but auth is none: set TAILRACE_AUTH=jwt")
        return self

    @property
    def takes_cookies(self) -> bool:
        """Whether pages of the other origins may send the cookie that carries a token."""
        return bool(self.auth_cookie) and "*" not in self.cors_origins

    @property
    def login(self) -> Login:
        """At the broker."""
        return Login(self.nats_ca, self.nats_cert, self.nats_key, self.nats_credentials, self.nats_inbox_prefix)

    @property
    def publish_login(self) -> Login:
        """The same of the user that may publish."""
        return self.login._replace(
            credentials=self.publish_nats_credentials, inbox_prefix=self.publish_nats_inbox_prefix
        )

    @property
    def limits(self) -> Limits:
        """The engine's part of it."""
        return Limits(
            tail_bytes=self.tail_bytes,
            heartbeat=self.heartbeat,
            cursor_interval=self.cursor_interval,
            slow_after=self.slow_after,
            lag_after=self.lag_after,
        )


def name_variable(field: str) -> str:
    """Return the environment variable of a setting."""
    return f"{_PREFIX}{field}".upper()


def describe_mistakes(error: ValidationError) -> str:
    """Return what is wrong with settings that variables gave, by their names."""
    return "; ".join(
        f"{name_variable(str(found['loc'][0]))}: {found['msg']}, not {found['input']!r}" for found in error.errors()
    )


def find_unknown(variables: Iterable[str]) -> list[str]:
    """Return what to say of variables that look like settings and are none, as one that is misspelled does."""
    known = {name_variable(field) for field in Settings.model_fields} | _OF_COMMANDS
    lines = []
    for name in sorted(name for name in variables if name.startswith(_PREFIX) and name not in known):
        similar = get_close_matches(name, known, n=1, cutoff=0.8)
        lines.append(f"{name} is no setting, and changes nothing" + (f"; is it {similar[0]}?" if similar else ""))
    return lines


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
