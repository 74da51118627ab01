"""Admission: how many streams there may be, and how fast they and what is published may come.

At a limit new ones are refused; those that are there stay.
"""

from __future__ import annotations

import math
import re
import resource
import time
from collections import Counter
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from tailrace_edge.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Scope

    from tailrace_edge.settings import Settings

_MANY = 50_000
"""Rates of which the bucket is kept; full ones are forgotten beyond that."""


class Seat(NamedTuple):
    """What an open stream counts as.

    Attributes:
        tenant: whose events it carries.
        principal: whom its token names; empty without one.
        address: of its client.
    """

    tenant: str
    principal: str
    address: str


class Rate:
    """A rate for each of many keys: a bucket that holds what one second allows (at least 1), and is filled evenly."""

    def __init__(self, per_second: float) -> None:
        """Make a rate; 0 allows everything."""
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, number: int, now: float) -> float:
        """Take `number` from the bucket of `key`, and return 0.

        Where it holds less, nothing is taken, and the seconds until it holds enough are returned. More than it can
        ever hold is taken from a full one, and has to be made up for by those that follow.
        """
        if not self._per_second:
            return 0.0
        left, at = self._buckets.get(key, (self._most, now))
        left = min(self._most, left + (now - at) * self._per_second)
        wanted = min(number, self._most)
        if left < wanted:
            return (wanted - left) / self._per_second
        if len(self._buckets) >= _MANY:
            self._forget(now)
        self._buckets[key] = (left - number, now)
        return 0.0

    def _forget(self, now: float) -> None:
        self._buckets = {
            key: (left, at)
            for key, (left, at) in self._buckets.items()
            if left + (now - at) * self._per_second < self._most
        }


class _Limit(NamedTuple):
    """How many streams of a kind may be open.

    Attributes:
        name: the setting's.
        most: its value; 0 for no limit.
        status: of the answer: 503 where another edge may have room.
        find_key: tells which streams are counted together with one; None for those that are not counted.
        whose: the same for people.
    """

    name: str
    most: int
    status: int
    find_key: Callable[[Seat], str | None]
    whose: str


_OTHERS = (
    *("connects_per_second", "publishes_per_second", "max_publishing", "max_patterns", "max_topics"),
    *("max_header_bytes", "max_body_bytes", "request_timeout"),
)
"""Limits that are kept elsewhere, or are no numbers of streams."""

_OTHER_FILES = 500
"""Files and sockets that are no streams: requests, the broker, logs."""

_FULL = 5.0
"""Seconds after which one that was refused should try again."""

_HOP = re.compile(r"\[(?P<bracketed>[^]]*)\](?::\d+)?|(?P<v4>[\d.]+):\d+")
"""An address in brackets, or with a port, as some load balancers write it into `X-Forwarded-For`."""


class Admission:
    """Keeps the limits of one edge.

    Attributes:
        refusals: how often something was refused, by limit; counted where it is answered.
    """

    def __init__(self, settings: Settings) -> None:
        """Begin with nobody in."""
        self._proxies = [ip_network(proxy, strict=False) for proxy in settings.trusted_proxies]
        self._limits = (
            _Limit("max_connections", _find_room(settings.max_connections), 503, lambda _: "", "on this edge"),
            _Limit(
                "max_connections_per_tenant",
                settings.max_connections_per_tenant,
                429,
                lambda seat: seat.tenant,
                "of this tenant on this edge",
            ),
            _Limit(
                "max_connections_per_principal",
                settings.max_connections_per_principal,
                429,
                lambda seat: f"{seat.tenant} {seat.principal}" if seat.principal else None,
                "of this principal on this edge",
            ),
            _Limit(
                "max_connections_per_address",
                settings.max_connections_per_address,
                429,
                lambda seat: _find_network(seat.address),
                "from this address on this edge",
            ),
        )
        self._open: dict[str, Counter[str]] = {limit.name: Counter() for limit in self._limits}
        self._connects = Rate(settings.connects_per_second)
        self._publishes = Rate(settings.publishes_per_second)
        self._most_under_way = settings.max_publishing
        self._under_way = 0
        self.refusals: Counter[str] = Counter(dict.fromkeys((*self._open, *_OTHERS), 0))

    def enter(self, seat: Seat) -> None:
        """Let a stream in; `leave` has to be called at its end.

        Raises:
            Problem: 429, or 503 where another edge may let it in, with `Retry-After`.
        """
        wait = self._connects.take("", 1, time.monotonic())
        if wait:
            self._refuse("connects_per_second", 503, "this edge takes no more new streams a second", wait)
        for limit, key in self._find_keys(seat):
            if self._open[limit.name][key] >= limit.most:
                self._refuse(limit.name, limit.status, f"{limit.most:,} streams are open {limit.whose}", _FULL)
        self._count(seat, 1)

    def leave(self, seat: Seat) -> None:
        """Learn that a stream has ended."""
        self._count(seat, -1)

    @contextmanager
    def publish(self, tenant: str, events: int) -> Iterator[None]:
        """Let events be published, which are under way until the context is left.

        Raises:
            Problem: 429, or 503 where the broker takes them more slowly than they come, with `Retry-After`.
        """
        # One request is let in always: it may be larger than all that may be under way.
        if self._under_way and self._under_way + events > self._most_under_way:
            self._refuse("max_publishing", 503, f"{self._under_way:,} events wait for the broker here", 1.0)
        wait = self._publishes.take(tenant, events, time.monotonic())
        if wait:
            self._refuse("publishes_per_second", 429, "this tenant publishes no more events a second here", wait)
        self._under_way += events
        try:
            yield
        finally:
            self._under_way -= events

    def find_address(self, scope: Scope) -> str:
        """Return the address of a request's client.

        `X-Forwarded-For` is believed as far as trusted proxies have written it: from the right, up to the first
        address that is none of theirs.
        """
        client = scope.get("client")
        peer: str = client[0] if client else ""
        address = _read_address(peer)
        if address is None or not self._is_proxy(address):
            return peer if address is None else str(address)
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for hop in reversed(",".join(values).split(",")):
            further = _read_address(hop.strip())
            if further is None:
                break
            address = further
            if not self._is_proxy(address):
                break
        return str(address)

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)

    def _find_keys(self, seat: Seat) -> Iterator[tuple[_Limit, str]]:
        """Yield the limits that are set and hold for a stream, and as what it counts there."""
        for limit in self._limits:
            key = limit.find_key(seat) if limit.most else None
            if key is not None:
                yield limit, key

    def _count(self, seat: Seat, by: int) -> None:
        for limit, key in self._find_keys(seat):
            numbers = self._open[limit.name]
            numbers[key] += by
            if not numbers[key]:
                del numbers[key]

    def _refuse(self, limit: str, status: int, what: str, wait: float) -> NoReturn:
        seconds = str(max(1, math.ceil(wait)))
        detail = f"{what}, which is the limit ({limit}); try again in {seconds} s"
        raise Problem(status, "limit-reached", detail, headers={"retry-after": seconds}, limit=limit)


def _find_room(most: int) -> int:
    """Return how many streams there may be: what is set, else what the open files of the process allow."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most or max(1, files - _OTHER_FILES)


def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in a text, with or without a port; None if it has none."""
    hop = _HOP.fullmatch(text)
    try:
        address = ip_address(text if hop is None else hop["bracketed"] or hop["v4"])
    except ValueError:
        return None
    # What comes by IPv4 to a listener on `::`.
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _find_network(text: str) -> str:
    """Return what counts as one address: of IPv6 the /64, since one customer of a provider has all of that."""
    address = _read_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address) >> 64 << 64, 64)))
    return text
