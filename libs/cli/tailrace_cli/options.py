"""Options that several commands have, and the texts that they take: durations and sizes."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([0-9]+)(?:([KMGT])(?:i?B)?)?", re.IGNORECASE)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def parse_max_age(text: str) -> float:
    """Return the seconds that `90s`, `15m`, `24h` or `7d` means; `0` stands for ever.

    Raises:
        BadParameter: it is none of these.
    """
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None or not float(match[1]):
        raise typer.BadParameter(f"--max-age: {text!r} is not a time like 90s, 15m, 24h or 7d; 0 is for ever.")
    return float(match[1]) * _SECONDS[match[2]]


def format_age(seconds: int) -> str:
    """Return the text that `parse_max_age` takes for a number of seconds."""
    if not seconds:
        return "0"
    unit = max((unit for unit, size in _SECONDS.items() if seconds % size == 0), key=_SECONDS.__getitem__)
    return f"{seconds // _SECONDS[unit]}{unit}"


def parse_max_bytes(text: str) -> int:
    """Return the bytes that `1000000`, `512M` or `10G` means; the units are powers of 1024.

    Raises:
        BadParameter: it is none of these.
    """
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]):
        raise typer.BadParameter(f"--max-bytes: {text!r} is not a number of bytes like 1000000, 512M or 10G.")
    return int(match[1]) << _SHIFTS[(match[2] or "").upper()]


def read_token() -> str | None:
    """Return the token in `TAILRACE_TOKEN`. It is no option: everybody on the machine can read a command line."""
    return os.environ.get("TAILRACE_TOKEN") or None


NatsUrl = Annotated[
    str,
    typer.Option(
        "--nats", envvar="TAILRACE_NATS_URL", metavar="URL", help="The broker, or several separated by commas."
    ),
]
EdgeUrls = Annotated[
    list[str],
    typer.Option(
        "--url",
        envvar="TAILRACE_URL",
        metavar="URL",
        help="An edge, or the load balancer before them. Give it several times to go round.",
    ),
]
Tenant = Annotated[str, typer.Option("--tenant", envvar="TAILRACE_TENANT", help="Whose events.")]
Store = Annotated[
    Path, typer.Option("--store", metavar="DIR", help="Folder of the log; made if it is missing.", file_okay=False)
]
MaxAge = Annotated[
    str | None,
    typer.Option(
        "--max-age",
        metavar="TIME",
        help="How long events are kept, like 90s, 15m, 24h or 7d; 0 is for ever.",
        show_default="as it is; for a new log 24h",
    ),
]

DEFAULT_EDGE_URL = "http://127.0.0.1:8080"
DEFAULT_STORE = Path("tailrace-data")
