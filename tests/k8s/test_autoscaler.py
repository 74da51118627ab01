"""The autoscaler's metric of streams: what docs/kubernetes.md has prometheus-adapter ask is what edges tell."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from k8s.pages import build, list_blocks, merge
from k8s.rendering import find
from k8s.test_monitoring import Prometheus, start
from support.broker import pick_ports
from support.edge import EdgeProcess
from support.stream import open_stream

HEADING = "## The autoscaler"


@pytest.fixture
async def prometheus(edge: EdgeProcess, tmp_path: Path) -> AsyncIterator[Prometheus]:
    """One that labels an edge's metrics as the operator does for a ServiceMonitor."""
    labels = {"namespace": "tailrace", "pod": "tailrace-edge-0", "service": "tailrace-edge"}
    target = {"targets": [edge.url.removeprefix("http://")], "labels": labels}
    scrape = {"job_name": "tailrace-edge", "static_configs": [target]}
    # The interval is the timeout, too.
    config = {"global": {"scrape_interval": "4s"}, "scrape_configs": [scrape]}
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    [port] = pick_ports(1)
    process = start(tmp_path, port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield Prometheus(client)
    finally:
        process.kill()
        process.wait()


def list_metrics() -> dict[str, dict[str, Any]]:
    """Return what the autoscaler of production goes by."""
    return {metric["type"]: metric for metric in find("prod", "HorizontalPodAutoscaler")["spec"]["metrics"]}


async def test_the_rule_of_the_page_gives_the_streams_of_each_pod(edge: EdgeProcess, prometheus: Prometheus) -> None:
    [rule] = yaml.safe_load(list_blocks("kubernetes.md", "yaml", HEADING)[0])["rules"]["custom"]
    series = re.match(r"\w+", rule["seriesQuery"])
    assert series is not None
    # The adapter names a metric as its series if the rule says nothing else.
    assert list_metrics()["Pods"]["pods"]["metric"] == {"name": series[0]}
    assert f"/{series[0]}'" in list_blocks("kubernetes.md", "sh", HEADING)[0]

    matchers = 'namespace="tailrace",pod=~"tailrace-edge-0|tailrace-edge-1"'
    query = rule["metricsQuery"].replace("<<.Series>>", series[0]).replace("<<.LabelMatchers>>", matchers)
    query = query.replace("<<.GroupBy>>", "pod")
    async with open_stream(edge.url, "a") as first, open_stream(edge.url, "b") as second:
        for stream in (first, second):
            await stream.next_control("open")
        await prometheus.wait_for(f"{query} == 2")
        [found] = await prometheus.ask(query)
        assert found["metric"] == {"pod": "tailrace-edge-0"}
        assert await prometheus.ask(rule["seriesQuery"])
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}


def test_without_the_adapter_cpu_alone_decides(tmp_path: Path) -> None:
    overlay = yaml.safe_load(list_blocks("kubernetes.md", "yaml", "## In production")[0])
    patched = merge(overlay, yaml.safe_load(list_blocks("kubernetes.md", "yaml", HEADING)[1]))
    [autoscaler] = [each for each in build(tmp_path, patched) if each["kind"] == "HorizontalPodAutoscaler"]
    assert autoscaler["spec"]["metrics"] == [list_metrics()["Resource"]]
