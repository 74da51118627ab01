"""The Node that the wheel `playwright` brings along, pinned like all else that the tests need."""

import shutil
from pathlib import Path

import playwright

NODE_FLAGS = ("--experimental-eventsource", "--no-warnings")
"""Node has undici's EventSource built in, behind a flag."""


def find_node() -> str | None:
    """Return Node's path; None where the wheel has none.

    Not the system's: once a connection is refused, the EventSource of Node 20 and 22 never tries again
    (fixed by nodejs/undici#4247), which no server can help.
    """
    return shutil.which(Path(playwright.__file__).parent / "driver" / "node")
