"""Settings of an edge: each is an option of `tailrace edge` and a variable `TAILRACE_*`."""

import os
import socket
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from tailrace_protocol.errors import SetupError

from tailrace_edge.engine.limits import Limits

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


_SCHEMES = frozenset({"nats", "tls", "ws", "wss"})


def _default_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


class Settings(BaseSettings):
    """What an edge is started with. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore", frozen=True)

    nats_url: Annotated[str, Field(description="Broker, or several separated by commas.")] = "nats://127.0.0.1:4222"
    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 for any that is free.")] = 8080
    reuse_port: Annotated[bool, Field(description="Share the port with other edges (SO_REUSEPORT).")] = False
    name: Annotated[
        str, Field(description="Of this edge, as clients and metrics see it; host and process by default.")
    ] = Field(default_factory=_default_name)
    auth: Annotated[Literal["none"], Field(description="Who gets in; `none` only on loopback.")] = "none"
    cors_origins: Annotated[
        tuple[str, ...], NoDecode, Field(description="Origins whose pages may read, separated by commas; * for all.")
    ] = ()

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

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: dict[str, object]) -> dict[str, object]:
        origins = values.get("cors_origins")
        if isinstance(origins, str):
            values["cors_origins"] = tuple(origin.strip() for origin in origins.split(",") if origin.strip())
        return values

    @model_validator(mode="after")
    def _check_servers(self) -> Self:
        for number, server in enumerate(self.nats_url.split(","), 1):
            if not _is_server(server.strip()):
                # It is not shown, since it may hold a password.
                raise SetupError(f"server {number} in nats_url is not of the form nats://host:port, or tls://host:port")
        return self

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        if not _is_loopback(self.host):
            raise SetupError(
                f"without authentication an edge listens on loopback only, not on {self.host!r}: "
                "use 127.0.0.1, and reach it through a proxy that authenticates"
            )
        return self

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
