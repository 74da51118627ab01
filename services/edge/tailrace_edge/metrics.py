"""Metrics: what Prometheus reads. Nothing is counted twice: these are the numbers that stats tell."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from tailrace_protocol.closing import CloseReason

from tailrace_edge.edge import Edge

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class EdgeCollector(Collector):
    """Collects one edge's numbers when it is asked for them."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def collect(self) -> Iterator[Metric]:
        """Return all families."""
        stats = self._edge.stats.read()
        counts = self._edge.engine.counts
        yield GaugeMetricFamily("tailrace_ready", "Whether new clients may come, 1 or 0.", stats.ready)
        yield GaugeMetricFamily("tailrace_connections", "Open streams.", stats.connections)
        subscribers = GaugeMetricFamily("tailrace_subscribers", "Open streams, by state.", labels=["state"])
        subscribers.add_metric(["live"], stats.live)
        subscribers.add_metric(["behind"], stats.behind)
        yield subscribers
        yield CounterMetricFamily("tailrace_events", "Events read from the log.", stats.events)
        yield CounterMetricFamily("tailrace_deliveries", "Frames handed to connections.", stats.deliveries)
        yield CounterMetricFamily("tailrace_delivered_bytes", "Bytes of these frames.", stats.bytes)
        replays = CounterMetricFamily(
            "tailrace_replays", "Streams that began behind the head, by first source.", labels=["source"]
        )
        for source, number in stats.replays.items():
            replays.add_metric([source], number)
        yield replays
        yield CounterMetricFamily("tailrace_gaps", "Gaps told to clients.", counts.gaps)
        yield CounterMetricFamily("tailrace_resets", "Resets told to clients.", counts.resets)
        yield GaugeMetricFamily("tailrace_tail_bytes", "Memory of the tail.", stats.tail_bytes)
        yield GaugeMetricFamily("tailrace_tail_events", "Events in the tail.", stats.tail_events)
        yield GaugeMetricFamily("tailrace_follower_lag", "Messages of the log not read yet.", stats.lag)
        follower = self._edge.follower
        yield GaugeMetricFamily("tailrace_log_bytes", "What the log takes on each broker.", follower.log_bytes)
        yield GaugeMetricFamily(
            "tailrace_broker_silence_seconds",
            "Since an event came, or the log's leader answered, which is asked every second.",
            time.monotonic() - follower.heard_at,
        )
        yield CounterMetricFamily(
            "tailrace_follower_recreations", "Consumers made after the first.", max(0, stats.consumers - 1)
        )
        closes = CounterMetricFamily("tailrace_closes", "Streams that ended, by reason.", labels=["reason"])
        for reason in CloseReason:
            closes.add_metric([reason.value], stats.closes.get(reason.value, 0))
        yield closes
        refusals = CounterMetricFamily("tailrace_refusals", "Requests refused, by limit.", labels=["limit"])
        for limit, number in self._edge.admission.refusals.items():
            refusals.add_metric([limit], number)
        yield refusals
        yield CounterMetricFamily(
            "tailrace_workers_lost", "Jobs whose worker this edge has called lost.", self._edge.workers.lost
        )


def make_registry(edge: Edge) -> CollectorRegistry:
    """Return a registry with an edge's numbers and its process's."""
    registry = CollectorRegistry()
    registry.register(EdgeCollector(edge))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """Return the answer to a scrape."""
    return generate_latest(registry)
