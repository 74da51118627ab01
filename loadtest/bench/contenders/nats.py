"""The broker of Tailrace, and of those who subscribe to it directly."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError, Unavailable
from bench.processes import Process, pick_port


def find_nats_server() -> str:
    """Return the path of the nats-server that came with the requirements, or the system's.

    Raises:
        Unavailable: there is none.
    """
    bundled = Path(sys.executable).with_name("nats-server")
    found = str(bundled) if bundled.exists() else shutil.which("nats-server")
    if found is None:
        raise Unavailable("nats-server is missing: run make setup")
    return found


class NatsBroker:
    """A nats-server with the log in a file store of its own."""

    def __init__(self, folder: Path, cores: Sequence[int]) -> None:
        """Start it and create the log."""
        port = pick_port()
        self.url = f"nats://127.0.0.1:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "nats.conf"
        self._store = folder / "store"
        store = json.dumps(str(self._store))
        config.write_text(f"listen: 127.0.0.1:{port}\njetstream {{ store_dir: {store} }}\n")
        self.process = Process("nats-server", [find_nats_server(), "-c", config], cores=cores, folder=folder)
        try:
            self.process.wait_port(port)
            self._create_log()
        except BaseException:
            self.process.stop(hard=True)
            raise

    def forget(self) -> None:
        """Remove what is stored, once the server is gone."""
        shutil.rmtree(self._store, ignore_errors=True)

    def _create_log(self) -> None:
        command = [sys.executable, "-m", "tailrace_cli", "init", "--nats", self.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise BenchError(f"the log cannot be created: {done.stderr.strip()[-500:]}")
