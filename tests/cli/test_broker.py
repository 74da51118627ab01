"""`tailrace broker` and `tailrace init`."""

import signal
from pathlib import Path

import psutil
from cli.command import Run, Start
from support.broker import PATIENCE, Broker, connect, pick_ports, request


async def test_a_broker_runs_in_the_foreground_and_init_makes_the_log(start: Start, run: Run, tmp_path: Path) -> None:
    [port] = pick_ports(1)
    broker = start("broker", "--port", str(port), "--store", str(tmp_path / "data"))
    url = f"nats://127.0.0.1:{port}"
    async with await connect(url):
        pass

    first = run("init", "--nats", url, "--max-age", "7d", "--max-bytes", "1M")
    second = run("init", "--max-age", "2h", TAILRACE_NATS_URL=url)

    assert first.stdout == ("stream EVENTS created: events are kept for 7d, at most 1,048,576 bytes, on 1 broker(s)\n")
    assert second.stdout == (
        "stream EVENTS is there: events are kept for 2h, at most 1,048,576 bytes, on 1 broker(s)\n"
    )
    async with await connect(url) as client:
        config = (await request(client, "STREAM.INFO.EVENTS"))["config"]
    assert (config["max_age"], config["max_bytes"], config["num_replicas"]) == (7200 * 10**9, 1 << 20, 1)
    assert psutil.Process(broker.pid).name() == "nats-server"

    broker.send_signal(signal.SIGINT)
    assert broker.wait(PATIENCE) == 0


def test_a_port_in_use_is_told(run: Run, bare_broker: Broker, tmp_path: Path) -> None:
    done = run("broker", "--port", str(bare_broker.port), "--store", str(tmp_path / "data"))

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{bare_broker.port}" in done.stderr
    assert "--port" in done.stderr


async def test_two_brokers_do_not_share_a_store(start: Start, run: Run, tmp_path: Path) -> None:
    ports = pick_ports(2)
    start("broker", "--port", str(ports[0]), "--store", str(tmp_path / "data"))
    async with await connect(f"nats://127.0.0.1:{ports[0]}"):
        pass

    done = run("broker", "--port", str(ports[1]), "--store", str(tmp_path / "data"))

    assert done.returncode == 1
    assert "another broker uses" in done.stderr
