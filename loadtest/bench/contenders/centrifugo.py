"""Centrifugo: in-memory engine, anonymous clients over its unidirectional SSE transport.

Set up as its documentation says, and not tried yet: its modules could not be had where this was written.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bench.contenders.contender import Contender, Place, make_request
from bench.contenders.golang import find_program
from bench.machine import ask_version
from bench.processes import Process, pick_port
from bench.sinks import encode

_RELEASE = "github.com/centrifugal/centrifugo/v6@v6.2.0"
_KEY = "bench"


class Centrifugo(Contender):
    """One node, as its documentation sets it up for public channels."""

    name = "centrifugo"
    title = "Centrifugo"

    def prepare(self, *, install: bool) -> None:
        self._program = find_program("centrifugo", ["install", _RELEASE], install=install)

    def find_version(self) -> str:
        return ask_version(str(self._program), "version")

    def start(self, place: Place) -> None:
        port = pick_port()
        place.folder.mkdir(parents=True, exist_ok=True)
        config = place.folder / "centrifugo.json"
        config.write_bytes(encode(_configure(port)))
        command = [self._program, "--config", config]
        process = self.keep(Process("centrifugo", command, cores=place.cores.server, folder=place.folder))
        process.wait_port(port)
        self.servers = [process]
        self.targets = [f"127.0.0.1:{port}"]
        self._url = f"http://127.0.0.1:{port}"

    def describe_sink(self) -> Mapping[str, Any]:
        headers = {"X-API-Key": _KEY, "Content-Type": "application/json"}
        path = "/api/publish"
        return {"kind": "http", "address": self._url, "path": path, "headers": headers, "form": "centrifugo"}

    def make_request(self, topic: str = "bench.0") -> str:
        # The braces that loadgen replaces must not be quoted.
        subscription = quote(f'{{"subs":{{"{topic}":{{}}}}}}').replace("%7Bi%7D", "{i}").replace("%7Ba%7D", "{a}")
        return make_request(f"/connection/uni_sse?cf_connect={subscription}")


def _configure(port: int) -> dict[str, Any]:
    public = {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}
    return {
        "http_server": {"address": "127.0.0.1", "port": str(port)},
        "client": {"allow_anonymous_connect_without_token": True, "allowed_origins": ["*"]},
        "channel": {"without_namespace": public},
        "http_api": {"key": _KEY},
        "uni_sse": {"enabled": True},
        "log": {"level": "warn"},
    }
