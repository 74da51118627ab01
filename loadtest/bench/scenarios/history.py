"""(k) A long history of many topics: one client that comes back cold, lists of topics, and the start of an edge."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from bench.bench import Bench
from bench.contenders import Place, Tailrace
from bench.errors import BenchError
from bench.load import Load, Topics
from bench.rows import Row
from bench.usage import forget_peak, read_cpu, read_memory

ROUNDS = 3
"""Of which the quickest counts: the first also warms the broker's caches."""


def run(bench: Bench) -> Iterator[Row]:
    """Fill a log, and ask for parts of it."""
    for tailrace in bench.choose(Tailrace):
        place = bench.place("history")
        try:
            with tailrace.run(place):
                yield from _run(bench, tailrace, place)
        except (BenchError, OSError, httpx.HTTPError) as error:
            yield Row("history", "all", tailrace.name, error=str(error) or repr(error))


def _run(bench: Bench, tailrace: Tailrace, place: Place) -> Iterator[Row]:
    events, topics = bench.size(1_000_000, 2000), bench.size(100_000, 400)
    jobs = {count: Topics(f"users.{name}.jobs", count) for name, count in _sizes(bench)}
    others = Topics("bench", topics - sum(jobs))
    position = tailrace.read_stats()
    with bench.publish_to(tailrace, place) as publisher:
        # Each topic once, then the others in turns.
        for group in jobs.values():
            publisher.publish(Load(events=group.count, topics=(group,)))
        rest = Load(events=events - sum(jobs), topics=(others,))
        sent = publisher.publish(rest)
    tailrace.wait_read(int(position["head"]) + events, seconds=120)
    filling = {"events": events, "topics": topics, "events_per_s": sent.events / sent.seconds}
    yield Row("history", f"filled with {events:,} events, {topics:,} topics", tailrace.name, filling)
    yield _start(tailrace, place)
    yield _resume(bench, tailrace, place, f"{position['epoch']}-{position['head']}", rest.events // others.count)
    for count, group in jobs.items():
        yield _list(tailrace, group, count)


def _sizes(bench: Bench) -> list[tuple[str, int]]:
    return [("few", bench.size(1000, 20)), ("many", bench.size(10_000, 100))]


def _start(tailrace: Tailrace, place: Place) -> Row:
    tailrace.stop_edges()
    began = time.perf_counter()
    tailrace.start_edges(place)
    seconds = time.perf_counter() - began
    stats = tailrace.read_stats()
    figures = {
        "seconds_s": seconds,
        "server_s": read_cpu(tailrace.servers).total,
        "tail_events": stats["tail_events"],
        "rss_bytes": read_memory(tailrace.servers).rss,
    }
    return Row("history", "edge start until ready", tailrace.name, figures)


def _resume(bench: Bench, tailrace: Tailrace, place: Place, position: str, behind: int) -> Row:
    # With its tail at the head, the edge has to read JetStream for all of it.
    tailrace.stop_edges()
    tailrace.start_edges(place, read_back=0.001)
    figures: dict[str, float] = {"events": behind}
    options = ("--last-event-id", position, "--expect", behind, "--until-expected")
    waits, edge, broker = [], [], []
    for number in range(ROUNDS):
        before = read_cpu(tailrace.servers).total, read_cpu(tailrace.brokers).total
        with bench.watch(
            tailrace, place, 1, topic=f"bench.{number + 7}", options=options, name=f"resume-{number}"
        ) as one:
            if not one.wait_done(60):
                raise BenchError(f"a client that is {behind} events behind did not get them in 60 s")
            result = one.stop()
        waits.append(result["expected"]["seconds"])
        edge.append(read_cpu(tailrace.servers).total - before[0])
        broker.append(read_cpu(tailrace.brokers).total - before[1])
    figures |= {"seconds_s": min(waits), "first_s": waits[0], "server_s": min(edge), "broker_s": min(broker)}
    return Row("history", "cold resume of one client", tailrace.name, figures)


def _list(tailrace: Tailrace, group: Topics, count: int) -> Row:
    forget_peak(tailrace.servers)
    waits, broker = [], []
    with httpx.Client(base_url=tailrace.url, timeout=120) as client:
        for _ in range(ROUNDS):
            before = read_cpu(tailrace.brokers).total
            began = time.perf_counter()
            found = _read_topics(client, f"{group.prefix}.*", count)
            waits.append(time.perf_counter() - began)
            broker.append(read_cpu(tailrace.brokers).total - before)
    if found != count:
        raise BenchError(f"topics?match={group.prefix}.* has {found} topics, not {count}")
    memory = read_memory(tailrace.servers)
    figures = {"topics": found, "seconds_s": min(waits), "first_s": waits[0], "broker_s": min(broker)}
    return Row("history", f"topics?match= of {count:,} jobs", tailrace.name, figures | {"peak_bytes": memory.peak})


def _read_topics(client: httpx.Client, match: str, limit: int) -> int:
    answer: dict[str, Any] = (
        client.get("/v1/default/topics", params={"match": match, "limit": limit}).raise_for_status().json()
    )
    return len(answer["events"])
