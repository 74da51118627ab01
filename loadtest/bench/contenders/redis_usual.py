"""The usual Python way: FastAPI, sse-starlette and Redis pub/sub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.contenders.contender import Contender, Place, make_request
from bench.contenders.packages import make_environment, require_programs
from bench.machine import ask_version
from bench.processes import Process, pick_port

_FOLDER = Path(__file__).with_name("python_usual")

_SHOW_VERSIONS = """
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("fastapi", "sse-starlette", "uvicorn", "redis")), sep=", ")
"""


class RedisUsual(Contender):
    """One uvicorn worker with uvloop and httptools, and a Redis server beside it."""

    name = "python-usual"
    title = "FastAPI + sse-starlette + Redis"

    def prepare(self, *, install: bool) -> None:
        require_programs(["redis-server"], ["redis-server"], install=install)
        self._python = make_environment("bench-venv", _FOLDER / "requirements.txt", install=install)

    def find_version(self) -> str:
        packages = ask_version(str(self._python), "-c", _SHOW_VERSIONS)
        return f"{packages}; {ask_version('redis-server', '--version')}"

    def start(self, place: Place) -> None:
        redis_port, port = pick_port(), pick_port()
        options = {"port": redis_port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": place.folder}
        redis_command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
        place.folder.mkdir(parents=True, exist_ok=True)
        redis = self.keep(Process("redis", redis_command, cores=place.cores.broker, folder=place.folder))
        redis.wait_port(redis_port)
        command = [
            *(self._python, "-m", "uvicorn", "server:app", "--app-dir", _FOLDER, "--port", str(port)),
            *("--loop", "uvloop", "--http", "httptools", "--backlog", "4096"),
            *("--no-access-log", "--log-level", "warning"),
        ]
        server = self.keep(
            Process(
                "python-usual",
                command,
                cores=place.cores.server,
                folder=place.folder,
                environment={"REDIS_URL": f"redis://127.0.0.1:{redis_port}"},
            )
        )
        server.wait_port(port)
        self.brokers, self.servers = [redis], [server]
        self.targets = [f"127.0.0.1:{port}"]
        self._redis_port = redis_port

    def describe_sink(self) -> Mapping[str, Any]:
        return {"kind": "redis", "address": f"redis://127.0.0.1:{self._redis_port}"}

    def make_request(self, topic: str = "bench.0") -> str:
        return make_request(f"/events/{topic}")
