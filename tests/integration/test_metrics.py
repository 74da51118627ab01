"""What those who run edges ask: statistics and metrics."""

from prometheus_client.parser import text_string_to_metric_families
from support.calls import call, publish, read, wait_empty, wait_head
from support.edge import EdgeProcess
from support.stream import open_stream


async def test_stats_of_all_edges(edges: tuple[EdgeProcess, EdgeProcess]) -> None:
    first, second = edges
    await publish(first, ("a", 1))
    async with open_stream(first.url, "a"), open_stream(second.url, "a"), open_stream(second.url, "b"):
        own = await read(second, "/v1/stats")
        assert (own["name"], own["connections"], own["ready"]) == ("b", 2, True)
        for edge in edges:
            # An edge that does not answer within 0.3 s is left out.
            while len((answer := await read(edge, "/v1/stats", cluster="true"))["edges"]) < 2:
                pass
            assert [(each["name"], each["connections"]) for each in answer["edges"]] == [("a", 1), ("b", 2)]
            assert answer["connections"] == 3


async def read_metrics(edge: EdgeProcess) -> dict[tuple[str, ...], float]:
    """Return all samples by name and label values."""
    text = (await call(edge, "/metrics")).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_count_right(small: EdgeProcess) -> None:
    ids: list[str] = []
    for _ in range(4):
        ids += await publish(small, *(("a", number) for number in range(100)))
    await wait_head(small, ids[-1])
    async with (
        open_stream(small.url, "a") as live,
        open_stream(small.url, "a", last_event_id=ids[-3]) as tail,
        open_stream(small.url, "a", from_="start") as cold,
        open_stream(small.url, "a", last_event_id="00000000-1") as reset,
    ):
        await live.next_control("open")
        await reset.next_control("reset")
        await tail.read_events(2)
        await cold.read_events(400)
        before = await read_metrics(small)
        await publish(small, *(("a", number) for number in range(10)), ("b", 0))
        received = 0
        for stream in (live, tail, cold, reset):
            received += sum(len(event.data) for event in await stream.read_events(10))
        after = await read_metrics(small)
    assert after["tailrace_ready",] == 1
    assert after["tailrace_connections",] == 4
    assert after["tailrace_subscribers", "live"] + after["tailrace_subscribers", "behind"] == 4
    assert after["tailrace_events_total",] == 411
    assert after["tailrace_deliveries_total",] - before["tailrace_deliveries_total",] == 40
    assert received < after["tailrace_delivered_bytes_total",] - before["tailrace_delivered_bytes_total",]
    assert after["tailrace_replays_total", "tail"] == 1
    assert after["tailrace_replays_total", "jetstream"] == 1
    assert after["tailrace_resets_total",] == 1
    assert after["tailrace_gaps_total",] == 0
    assert 0 < after["tailrace_tail_bytes",] <= 40_000
    assert after["tailrace_follower_lag",] == 0
    made = [record["event"] for record in small.read_log()].count("consumer made")
    assert after["tailrace_follower_recreations_total",] == made - 1
    assert {key[1] for key in after if key[0] == "tailrace_closes_total"} == {
        *("drain", "max_age", "slow", "finished", "token_expired", "gone")
    }
    await wait_empty(small)
    after = await read_metrics(small)
    assert after["tailrace_closes_total", "gone"] == 4
    assert after["tailrace_connections",] == 0
    assert sum(value for key, value in after.items() if key[0] == "tailrace_closes_total") == 4


async def test_metrics_are_prometheus_text(edge: EdgeProcess) -> None:
    answer = await call(edge, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation, family.name
        assert family.name.startswith(("tailrace_", "process_", "python_gc_")), family.name
