"""What one writes with nats-py alone: each client's topic subscribed to on its own, with a queue and a generator."""

import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from bench.contenders.contender import Contender, Place, make_request
from bench.contenders.nats import NatsBroker, find_nats_server
from bench.processes import Process, pick_port
from bench.publishing import find_modules


class NatsUsual(Contender):
    """A server on asyncio and uvloop: one stock subscription per client, which resumes nothing."""

    name = "nats-py"
    title = "nats-py, a subscription per client"

    def prepare(self, *, install: bool) -> None:
        find_nats_server()

    def find_version(self) -> str:
        return f"nats-py {version('nats-py')}"

    def start(self, place: Place) -> None:
        broker = NatsBroker(place.folder / "nats", place.cores.broker)
        self.after(broker.forget)
        self.brokers = [self.keep(broker.process)]
        self._broker_url = broker.url
        port = pick_port()
        command = [sys.executable, "-m", "bench.contenders.nats_server", broker.url, str(port)]
        server = self.keep(
            Process("nats-py", command, cores=place.cores.server, folder=place.folder, environment=find_modules())
        )
        server.wait_port(port)
        self.servers = [server]
        self.targets = [f"127.0.0.1:{port}"]

    def describe_sink(self) -> Mapping[str, Any]:
        return {"kind": "tailrace", "address": self._broker_url}

    def make_request(self, topic: str = "bench.0") -> str:
        return make_request(f"/events.default.{topic}")
