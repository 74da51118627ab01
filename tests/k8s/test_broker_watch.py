"""What edges and brokers tell of brokers that fill, or have lost their quorum: docs/operations.md, "What to watch"."""

import re
from pathlib import Path
from typing import Any

import httpx
from integration.test_broker_security import prepare, start_edge
from k8s.rendering import K8S
from k8s.secured import SecuredBrokers
from k8s.test_monitoring import read_rules
from prometheus_client.parser import text_string_to_metric_families
from support.calls import call
from support.edge import EdgeProcess
from support.waiting import wait_until


async def read_metric(edge: EdgeProcess, name: str) -> float:
    families = text_string_to_metric_families((await call(edge, "/metrics")).text)
    [sample] = [sample for family in families for sample in family.samples if sample.name == name]
    return sample.value


async def read_monitoring(brokers: SecuredBrokers, path: str, number: int = 0) -> tuple[int, Any]:
    """Return status and answer of a node, on the port that the page forwards."""
    host = re.findall(r"@([\d.]+):", brokers.url("edge"))[number]
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{host}:8222/{path}")
    return answer.status_code, answer.json()


async def test_a_lost_quorum_shows(tmp_path: Path) -> None:
    with SecuredBrokers(tmp_path / "brokers", nodes=3) as brokers:
        await prepare(brokers, replicas=3)
        async with start_edge(brokers, tmp_path / "edge", broker_away=12) as edge:

            async def healthy() -> bool:
                for number in range(3):
                    _, told = await read_monitoring(brokers, "jsz?streams=true", number)
                    assert told["storage"] < told["config"]["max_storage"]
                    [stream] = told["account_details"][0]["stream_detail"]
                    if stream["cluster"].get("leader") == f"tailrace-nats-{number}":
                        current = [replica["current"] for replica in stream["cluster"]["replicas"]]
                        return current == [True, True] and "leader" in told["meta_cluster"]
                return False

            await wait_until(healthy)
            assert (await read_monitoring(brokers, "healthz"))[0] == 200
            for number in (1, 2):
                brokers.kill(number)

            async def silent() -> bool:
                # More than a leader's election takes.
                return await read_metric(edge, "tailrace_broker_silence_seconds") > 15

            async def unhealthy() -> bool:
                status, told = await read_monitoring(brokers, "healthz")
                return status == 503 and told["status"] == "unavailable"

            async def leaderless() -> bool:
                _, told = await read_monitoring(brokers, "jsz")
                return "leader" not in told["meta_cluster"]

            for seen in (silent, unhealthy, leaderless):
                await wait_until(seen)
            assert (await call(edge, "/readyz")).status_code == 503
            # What a replica says of the log that may lack its end is not taken for the leader's word.

            async def told_so() -> bool:
                listed = await call(edge, "/v1/acme/topics?match=>")
                assert listed.status_code == 503
                # While the edge tries another broker, it has none to ask.
                return "no leader" in listed.json()["detail"]

            await wait_until(told_so)


async def test_the_size_of_the_log_shows(edge: EdgeProcess) -> None:
    event = {"topic": "a", "data": "x" * 50_000}
    assert (await call(edge, "/v1/acme/events", method="POST", json=event)).status_code == 201

    async def grown() -> bool:
        return 50_000 < await read_metric(edge, "tailrace_log_bytes") < 60_000

    async def heard() -> bool:
        return await read_metric(edge, "tailrace_broker_silence_seconds") < 0.5

    await wait_until(grown)
    await wait_until(heard)


def test_the_alert_knows_how_much_the_brokers_take() -> None:
    [alert] = [
        rule for group in read_rules()["groups"] for rule in group["rules"] if rule["alert"] == "TailraceLogDisk"
    ]
    configured = re.search(r"max_file_store: (\d+)GiB", (K8S / "overlays/prod/nats.conf").read_text())
    assert configured is not None
    assert alert["expr"].endswith(f"> 0.9 * {configured[1]} * 1024^3")
    assert f"{configured[1]} GiB" in alert["annotations"]["summary"]
