"""The contenders: what users would take for the same task."""

from bench.contenders.centrifugo import Centrifugo
from bench.contenders.contender import Contender, Place
from bench.contenders.limit import Limit
from bench.contenders.mercure import Mercure
from bench.contenders.nats_usual import NatsUsual
from bench.contenders.nchan import Nchan
from bench.contenders.redis_usual import RedisUsual
from bench.contenders.tailrace import Tailrace

ALL: tuple[type[Contender], ...] = (Limit, Tailrace, Nchan, RedisUsual, Mercure, Centrifugo, NatsUsual)
"""In the order of the report."""

__all__ = [
    "ALL",
    "Centrifugo",
    "Contender",
    "Limit",
    "Mercure",
    "NatsUsual",
    "Nchan",
    "Place",
    "RedisUsual",
    "Tailrace",
]
