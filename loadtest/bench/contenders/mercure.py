"""Mercure: its hub with the local transport, anonymous subscribers, published to with a signed token."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from bench.contenders.contender import Contender, Place, make_request
from bench.contenders.golang import find_module_version, find_program
from bench.processes import Process, pick_port
from bench.sinks import encode
from bench.watchers import BUILD

_KEY = "a key for measurements on loopback only"
_MODULE = "github.com/dunglas/mercure"
_PACKAGE = f"{_MODULE}/cmd/mercure"


class Mercure(Contender):
    """The hub that the Mercure module builds; the one that Caddy carries has the same core."""

    name = "mercure"
    title = "Mercure"

    def prepare(self, *, install: bool) -> None:
        command = ["build", "-o", str(BUILD / "mercure"), _PACKAGE]
        self._program = find_program("mercure", command, install=install)

    def find_version(self) -> str:
        return find_module_version(_MODULE)

    def start(self, place: Place) -> None:
        port = pick_port()
        options = {
            "addr": f"127.0.0.1:{port}",
            "jwt-key": _KEY,
            "transport-url": "local://local",
            "heartbeat-interval": "15s",
            "read-timeout": "0s",
            "write-timeout": "0s",
        }
        command = [self._program, "--allow-anonymous", *(f"--{name}={value}" for name, value in options.items())]
        process = self.keep(Process("mercure", command, cores=place.cores.server, folder=place.folder))
        process.wait_port(port)
        self.servers = [process]
        self.targets = [f"127.0.0.1:{port}"]
        self._url = f"http://127.0.0.1:{port}"

    def describe_sink(self) -> Mapping[str, Any]:
        headers = {
            "Authorization": f"Bearer {sign_token({'mercure': {'publish': ['*']}})}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return {
            "kind": "http",
            "address": self._url,
            "path": "/.well-known/mercure",
            "headers": headers,
            "form": "mercure",
        }

    def make_request(self, topic: str = "bench.0") -> str:
        return make_request(f"/.well-known/mercure?topic={topic}")


def sign_token(claims: Mapping[str, Any]) -> str:
    """Return a JSON web token (RFC 7519, HS256)."""
    signed = f"{_encode_part({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_part(claims)}"
    signature = hmac.new(_KEY.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_strip(signature)}"


def _encode_part(part: Mapping[str, Any]) -> str:
    return _strip(encode(part))


def _strip(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
