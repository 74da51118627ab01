"""The limit: sockets in an array, each event sent to all in a plain loop, in C (loadtest/limit)."""

from collections.abc import Mapping
from typing import Any

from bench.contenders.contender import Contender, Place, make_request
from bench.errors import BenchError, Unavailable
from bench.machine import ask_version
from bench.processes import Process, pick_port
from bench.watchers import build


class Limit(Contender):
    """What the kernel asks for a plain send to each socket; nobody who sends events one by one is below it."""

    name = "limit"
    title = "C loop (the limit)"
    many_topics = False

    def prepare(self, *, install: bool) -> None:
        try:
            self._program = build("limit")
        except BenchError as error:
            raise Unavailable(str(error)) from error

    def find_version(self) -> str:
        return ask_version("gcc", "--version")

    def start(self, place: Place) -> None:
        port, publish_port = pick_port(), pick_port()
        command = [self._program, "--port", str(port), "--publish-port", str(publish_port)]
        process = self.keep(Process("limit", command, cores=place.cores.server, folder=place.folder))
        process.wait_port(port)
        self.servers = [process]
        self.targets = [f"127.0.0.1:{port}"]
        self._publish_port = publish_port

    def describe_sink(self) -> Mapping[str, Any]:
        return {"kind": "lines", "address": f"127.0.0.1:{self._publish_port}"}

    def make_request(self, topic: str = "bench.0") -> str:
        return make_request("/")
