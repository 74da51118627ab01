"""Streams: what each costs once, when it begins."""

import math
from collections.abc import Sequence

from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.hub import Interest
from tailrace_edge.engine.subscriber import Subscriber
from tailrace_edge.query import parse_stream_query
from tailrace_protocol.control import Mode

from bench.steps.messages import EPOCH, TENANT
from bench.steps.step import Sizes, Step, Stopwatch

NOW = 100.0
RETRY = 1000

_HEADERS = [(b"host", b"127.0.0.1:8080"), (b"accept", b"text/event-stream"), (b"cache-control", b"no-cache")]
_MAX_PATTERNS = 64


def query(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Read what a request asks for."""
    queries = [f"topic=bench.{number}".encode() for number in range(sizes.topics)]
    with stopwatch:
        for text in queries:
            parse_stream_query(TENANT, text, _HEADERS, max_patterns=_MAX_PATTERNS)
    return len(queries)


def attach(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Take a stream in, and serve what it begins with."""
    interests = make_interests(sizes.topics)
    engine = _open_engine()
    with stopwatch:
        for interest in interests:
            _attach(engine, interest)
    return engine.count_live()


def make_engine(interests: Sequence[Interest]) -> Engine:
    """Return an engine at the start of its log, with a subscriber at the head for each interest."""
    engine = _open_engine()
    for interest in interests:
        _attach(engine, interest)
    if engine.count_live() != len(interests):
        raise AssertionError(f"only {engine.count_live()} of {len(interests)} subscribers are at the head")
    return engine


def make_interests(topics: int) -> list[Interest]:
    """Return an interest in each of so many topics."""
    return [Interest((f"{TENANT}.bench.{number}",)) for number in range(topics)]


def _open_engine() -> Engine:
    engine = Engine("edge-0")
    engine.open_log(EPOCH, 1, 0)
    return engine


def _attach(engine: Engine, interest: Interest) -> None:
    subscriber = Subscriber(None, expires=math.inf)
    engine.attach(subscriber, interest, mode=Mode.LIVE, cursor=engine.log.head, now=NOW, retry=RETRY)
    while (ready := engine.next_ready(NOW)) is not None:
        engine.serve(ready, NOW)


STEPS = (
    Step("query", "streams", query),
    Step("attach", "streams", attach),
)
