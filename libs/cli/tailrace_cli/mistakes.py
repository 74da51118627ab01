"""Mistakes: what a program says when it is used in a way that cannot work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from tailrace_client import Unauthorized
from tailrace_edge.logs import configure_logs
from tailrace_protocol.errors import TailraceError


@contextmanager
def explain_mistakes(program: str) -> Iterator[None]:
    """Turn Tailrace's own errors, and files that cannot be used, into one line on standard error and exit status 1."""
    # The libraries' logs would stand between what the program says; `tailrace edge` sets them up anew.
    configure_logs("critical", "console")
    try:
        yield
    except Unauthorized as error:
        _exit(program, f"{error}; put a token that is good into TAILRACE_TOKEN (tailrace token makes one)")
    except TailraceError as error:
        _exit(program, str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _exit(program, f"{error.filename}: {error.strerror}")


def _exit(program: str, reason: str) -> None:
    typer.secho(f"{program}: {reason}", fg="red", err=True)
    sys.exit(1)
