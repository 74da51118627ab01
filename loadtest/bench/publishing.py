"""Publishing: drives the publisher's process."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.load import Load, Sent
from bench.processes import Process
from bench.watchers import LOADTEST


class Publisher:
    """One publisher. A context manager: connected on entry, gone on exit."""

    def __init__(self, sink: Mapping[str, Any], *, cores: Sequence[int], folder: Path, name: str = "publisher") -> None:
        """Connect.

        Args:
            sink: how the contender takes events, see `sinks.make_sink`.
            cores: it may use.
            folder: for its log.
            name: of its log.
        """
        command = [sys.executable, "-m", "bench.publisher", json.dumps(sink)]
        self.process = Process(name, command, cores=cores, folder=folder, environment=find_modules(), talks=True)
        self.process.hear_line("ready", 30)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(hard=True)

    def begin(self, load: Load) -> None:
        """Publish a load; `finish` has to be called before the next."""
        self.process.say(msgspec.json.encode(load).decode())

    def finish(self, seconds: float = 60.0) -> Sent:
        """Return what was sent, once all of it is taken.

        Raises:
            BenchError: that took longer than `seconds`.
        """
        return msgspec.json.decode(self.process.hear(seconds), type=Sent)

    def publish(self, load: Load, *, seconds: float = 600.0) -> Sent:
        """Publish a load, and return when it is taken."""
        self.begin(load)
        return self.finish(seconds)


def find_modules() -> dict[str, str]:
    """Return the environment in which a child finds this package."""
    inherited = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(LOADTEST), inherited]))}
