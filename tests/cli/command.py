"""The `tailrace` command as its users run it."""

import http.client
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import stamina

WAIT = 60

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


@dataclass
class Place:
    """A broker and an edge."""

    nats: str
    url: str


@stamina.retry(on=(OSError, http.client.HTTPException, AssertionError), attempts=None, timeout=WAIT, wait_max=0.2)
def wait_ready(port: int) -> None:
    """Return when the edge at the port may be used."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
    finally:
        connection.close()
