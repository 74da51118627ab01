"""What all programs here have in common.

They read the stream at URL, print each event as a line of JSON, [id, type, data], and come back when the stream
breaks. Once the edge says that the stream is finished, they are.
"""

import json
import sys

URL = sys.argv[-1]

PAUSE = 0.1
"""Seconds after which those come back that do it by hand."""


def show(event_id: str | None, event_type: str | None, data: str) -> None:
    """Print an event."""
    print(json.dumps([event_id or "", event_type or "message", data]), flush=True)  # noqa: T201 - what it is for


def report(event_id: str | None, event_type: str | None, data: str) -> None:
    """Print an event; end the program after the stream's last one."""
    show(event_id, event_type, data)
    # As text: a client that garbles it shall go on.
    if event_type == "tailrace" and '"kind":"closing"' in data:
        sys.exit(0)
