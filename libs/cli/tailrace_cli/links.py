"""How a stream is connected, and that no edge is there, in words for the terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tailrace_client import Link
from tailrace_protocol.errors import EdgeUnavailable


def format_link(link: Link, urls: Sequence[str]) -> str:
    """Return a line about a stream that is not connected, and where edges are looked for."""
    return f"{link.state}: {link.reason} ({', '.join(urls)}); next attempt in {link.retry_in or 0:.1f} s"


@contextmanager
def explain_no_edge(urls: Sequence[str]) -> Iterator[None]:
    """Have an EdgeUnavailable that no edge answered say what to do about it."""
    try:
        yield
    except EdgeUnavailable as error:
        if error.__context__ is None:  # an edge answered, and said why it cannot
            raise
        raise EdgeUnavailable(
            f"no edge answers at {', '.join(urls)} ({error.__context__}); "
            "start one with tailrace up, or name another with --url"
        ) from error
