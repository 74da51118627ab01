"""Alerts and dashboard: every query is asked of a real Prometheus that scrapes a real edge."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina
import yaml
from k8s.rendering import K8S
from support.broker import PATIENCE, pick_ports
from support.edge import EdgeProcess
from tailrace_client import Client


def read_rules() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((K8S / "overlays/prod/prometheusrule.yaml").read_text())["spec"]
    return spec


def list_queries() -> list[str]:
    """Return what the alerts and the dashboard ask."""
    alerts = [rule["expr"] for group in read_rules()["groups"] for rule in group["rules"]]
    dashboard = json.loads((K8S / "overlays/prod/dashboard.json").read_text())
    return alerts + [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def find_prometheus() -> str:
    found = shutil.which("prometheus")
    if found is None:
        if os.environ.get("CI", "") in ("", "0", "false"):
            pytest.skip("prometheus is not installed (Debian has it as a package)")
        raise AssertionError("prometheus is not installed (Debian has it as a package)")
    return found


class Prometheus:
    """A real one, that scrapes one edge as the ServiceMonitor has it done, and evaluates the alerts."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, query: str) -> list[dict[str, Any]]:
        response = await self._client.get("/api/v1/query", params={"query": query})
        answer = response.raise_for_status().json()
        assert answer["status"] == "success", (query, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def list_alerts(self) -> dict[str, str]:
        """Return the health of each alert's rule, by name."""
        groups = (await self._client.get("/api/v1/rules")).json()["data"]["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    async def wait_for(self, query: str) -> None:
        """Wait until a query finds something."""

        async def check() -> None:
            assert await self.ask(query)

        await hold(check)


async def hold(check: Callable[[], Awaitable[None]]) -> None:
    """Return once a check holds; fail as it does if it does not come to that."""
    async for attempt in stamina.retry_context(
        on=(httpx.HTTPError, AssertionError), attempts=None, timeout=PATIENCE, wait_max=0.3
    ):
        with attempt:
            await check()


@pytest.fixture
async def prometheus(edge: EdgeProcess, tmp_path: Path) -> AsyncIterator[Prometheus]:
    # As it names the targets of a ServiceMonitor: the job is the Service's name, the pod is a label.
    target = {"targets": [edge.url.removeprefix("http://")], "labels": {"pod": "tailrace-edge-0"}}
    config = {
        # The interval is the timeout, too.
        "global": {"scrape_interval": "4s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "tailrace-edge", "static_configs": [target]}],
    }
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(read_rules()))
    [port] = pick_ports(1)
    process = start(tmp_path, port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            yield Prometheus(client)
    finally:
        process.kill()
        process.wait()


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    files = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        command = [find_prometheus(), *files, f"--web.listen-address=127.0.0.1:{port}"]
        return subprocess.Popen(command, stdout=log, stderr=log)


async def test_alerts_and_dashboard_ask_for_what_an_edge_tells(edge: EdgeProcess, prometheus: Prometheus) -> None:
    async def check() -> None:
        empty = {query for query in list_queries() if not await prometheus.ask(strip_condition(query))}
        # Reported from the first time on that they happen.
        assert {query for query in empty if "refusals" not in query and "replays" not in query} == set()
        assert set((await prometheus.list_alerts()).values()) == {"ok"}

    async with Client(edge.url, tenant="acme") as client:
        await client.publish("orders.1", 1)
        stream = client.stream("orders.*", start="start")
        async for _ in stream:
            break
        # Of two scrapes rates are made.
        await hold(check)
    assert not [alert for alert in await prometheus.ask("ALERTS") if alert["metric"]["alertstate"] == "firing"]


async def test_an_alert_fires(edge: EdgeProcess, prometheus: Prometheus) -> None:
    await prometheus.wait_for("tailrace_ready == 1")
    edge.kill()
    await prometheus.wait_for('ALERTS{alertname="TailraceNoEdgeReady"}')


def strip_condition(query: str) -> str:
    """Return what an alert compares, which has to exist, rather than whether it holds."""
    return re.split(" (?:==|>) ", query, maxsplit=1)[0]
