"""What all contenders have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from bench.machine import Cores
from bench.processes import Process


class Place(NamedTuple):
    """Where a contender runs.

    Attributes:
        cores: who gets which.
        folder: for configuration, data and logs of one run.
    """

    cores: Cores
    folder: Path


class Contender(ABC):
    """A server that fans events out over SSE. A context manager around `place`: running on entry, gone on exit.

    Attributes:
        name: in commands and raw results.
        title: in the report.
        many_topics: whether a watcher chooses what it gets.
        cores: that belong to the servers alone.
        servers: the processes whose cost counts.
        brokers: those behind them, counted beside.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    many_topics: ClassVar[bool] = True

    def __init__(self) -> None:
        self.cores: list[int] = []
        self.servers: list[Process] = []
        self.brokers: list[Process] = []
        self.targets: list[str] = []
        self._stack = ExitStack()

    @abstractmethod
    def prepare(self, *, install: bool) -> None:
        """Make sure that it can be started.

        Args:
            install: what is missing may be downloaded.

        Raises:
            Unavailable: it cannot, and why.
        """

    @abstractmethod
    def find_version(self) -> str:
        """Return its version and that of what it runs on."""

    @abstractmethod
    def start(self, place: Place) -> None:
        """Start everything, and return when clients can connect. What was started is kept with `keep`."""

    @abstractmethod
    def describe_sink(self) -> Mapping[str, Any]:
        """Return how a publisher reaches it, see `sinks.make_sink`."""

    @abstractmethod
    def make_request(self, topic: str = "bench.0") -> str:
        """Return the template of a watcher's request."""

    def run(self, place: Place) -> Self:
        """Start it, to be used as a context manager."""
        self.servers, self.brokers, self.targets = [], [], []
        self.cores = sorted({*place.cores.server} - place.cores.find_load())
        try:
            self.start(place)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def after(self, call: Callable[[], None]) -> None:
        """Call something when what is kept from now on has ended."""
        self._stack.callback(call)

    def keep(self, process: Process) -> Process:
        """End `process` when this ends; the last one first."""
        return self._stack.enter_context(process)


def make_request(path: str, headers: Mapping[str, str] | None = None) -> str:
    """Return the request of an EventSource."""
    lines = {"Host": "127.0.0.1", "Accept": "text/event-stream"} | dict(headers or {})
    return f"GET {path} HTTP/1.1\n" + "".join(f"{name}: {value}\n" for name, value in lines.items()) + "\n"
