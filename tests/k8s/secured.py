"""Brokers that run with the production overlay's own nats.conf, on loopback addresses of their own."""

import json
import os
import random
import re
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import stamina
from support.broker import PATIENCE, find_nats_server

CONFIG = Path(__file__).parents[2] / "k8s/overlays/prod/nats.conf"
NODES = 3

PASSWORDS = {name: f"secret-of-{name}" for name in ("edge", "publisher", "admin", "acme", "globex", "route")}


class SecuredBrokers:
    """One node, or three, of the text of a nats.conf. A context manager: serving on entry, gone on exit."""

    def __init__(self, folder: Path, *, nodes: int = 1, config: str | None = None) -> None:
        self._folder = folder
        self._config = add_tenant(CONFIG.read_text() if config is None else config)
        # All of 127.0.0.0/8 is this machine: each node has the ports of the text, on an address of its own.
        self._addresses = pick_addresses(nodes)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for number in range(len(self._addresses)):
            self._start(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def url(self, user: str) -> str:
        """Return what a user connects to."""
        return ",".join(f"nats://{user}:{PASSWORDS[user]}@{address}:4222" for address in self._addresses)

    async def wait_healthy(self) -> None:
        """Wait until every node answers the readiness probe of the manifests."""
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            for address in self._addresses:
                async for attempt in stamina.retry_context(
                    on=httpx.HTTPError, attempts=None, timeout=PATIENCE, wait_max=0.2
                ):
                    with attempt:
                        assert all(process.poll() is None for process in self._processes), self._read_logs()
                        (await client.get(f"http://{address}:8222/healthz?js-server-only=true")).raise_for_status()

    async def read_varz(self, number: int = 0) -> dict[str, Any]:
        """Return what the monitoring of a node says of it."""
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            answer: dict[str, Any] = (await client.get(f"http://{self._addresses[number]}:8222/varz")).json()
            return answer

    def kill(self, number: int) -> None:
        """End a node as a crash does."""
        os.kill(self._processes[number].pid, signal.SIGKILL)
        self._processes[number].wait()

    def find_violations(self) -> list[str]:
        """Return what the nodes logged of permissions that were missing."""
        return [line for line in self._read_logs().splitlines() if "Violation" in line]

    def _read_logs(self) -> str:
        return "".join(path.read_text() for path in self._folder.glob("*/nats.log"))

    def _start(self, number: int) -> None:
        folder = self._folder / f"node-{number}"
        folder.mkdir(parents=True)
        text = self._config.replace("store_dir: /data", f"store_dir: {json.dumps(str(folder / 'store'))}")
        for other, address in enumerate(self._addresses):
            text = text.replace(f"tailrace-nats-{other}.tailrace-nats:", f"{address}:")
        if len(self._addresses) == 1:
            text, found = re.subn(r"^cluster \{\n.*?^\}\n", "", text, flags=re.MULTILINE | re.DOTALL)
            assert found == 1
        config = folder / "nats.conf"
        config.write_text(text)
        address = self._addresses[number]
        command = [find_nats_server(), "-c", str(config), "-a", address]
        if len(self._addresses) > 1:
            command += ["--cluster_listen", f"nats://{address}:6222"]
        variables = {f"NATS_{name.upper()}_PASSWORD": password for name, password in PASSWORDS.items()}
        environment = os.environ | variables | {"POD_NAME": f"tailrace-nats-{number}"}
        with (folder / "nats.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))


def add_tenant(config: str) -> str:
    """Return the text with a second tenant, made as its comment says: a copy of the first one's user."""
    match = re.search(r"^ {6}\{\n {8}user: acme, .*?^ {6}\}\n", config, re.MULTILINE | re.DOTALL)
    assert match is not None
    copy = match[0].replace("acme", "globex").replace("ACME", "GLOBEX")
    return config[: match.end()] + copy + config[match.end() :]


def pick_addresses(number: int) -> list[str]:
    """Return loopback addresses at whose NATS port nobody listened a moment ago."""
    addresses: list[str] = []
    while len(addresses) < number:
        address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        with socket.socket() as probe:
            if probe.connect_ex((address, 4222)) != 0:
                addresses.append(address)
    return addresses
