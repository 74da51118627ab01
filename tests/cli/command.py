"""The `tailrace` command as its users run it."""

import http.client
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import stamina
from support.broker import PATIENCE

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


@dataclass
class Place:
    """A broker and an edge."""

    nats: str
    url: str


def end_on_terminal(process: subprocess.Popen[bytes], terminal: int) -> int:
    """Interrupt a process, and return its status; reads its terminal, for who fills that waits for a reader."""
    process.send_signal(signal.SIGINT)
    with suppress(OSError):  # the terminal's other end is closed
        while os.read(terminal, 65536):
            pass
    return process.wait(PATIENCE)


@stamina.retry(on=(OSError, http.client.HTTPException, AssertionError), attempts=None, timeout=PATIENCE, wait_max=0.2)
def wait_ready(port: int) -> None:
    """Return when the edge at the port may be used."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
    finally:
        connection.close()
