"""What the docs list is all there is: close reasons, limits, and the interface of the design that was not built."""

import re
from pathlib import Path

from tailrace_edge.admission import Admission
from tailrace_edge.app import create_app
from tailrace_edge.metrics import EdgeCollector
from tailrace_edge.settings import Settings
from tailrace_protocol.closing import CloseReason

DOCS = Path(__file__).parents[2] / "docs"


def read_line(page: str, beginning: str) -> str:
    """Return the one line of a page that begins so."""
    [line] = [line for line in (DOCS / page).read_text().splitlines() if line.startswith(beginning)]
    return line


def test_close_reasons() -> None:
    told = set(re.findall(r"`(\w+)` \(", read_line("http.md", "Close reasons:")))
    assert told == {reason.value for reason in CloseReason if reason is not CloseReason.GONE}


def test_limits() -> None:
    told = set(re.findall(r"^\| `TAILRACE_(\w+)` \|", (DOCS / "limits.md").read_text(), re.MULTILINE))
    # That one is kept by ending a stream, and counted as that.
    assert {name.lower() for name in told} - {"slow_after"} == set(Admission(Settings()).refusals)


def test_metrics() -> None:
    """If this fails, put the lines that are expected here into the docs."""
    told = re.findall(r"^\| `tailrace_\w+.*$", (DOCS / "operations.md").read_text(), re.MULTILINE)
    families = list(EdgeCollector(create_app(Settings()).state.edge).collect())
    names = {family.samples[0].name: family for family in families}
    labels = {name: "".join(f"{{{label}}}" for label in family.samples[0].labels) for name, family in names.items()}
    assert told == [f"| `{name}{labels[name]}` | {family.documentation} |" for name, family in names.items()]


def test_there_is_no_websocket_as_architecture_says() -> None:
    assert "GET /v1/{tenant}/ws" in read_line("architecture.md", "- There is no `GET /v1/{tenant}/ws`")
    assert not [path for path in create_app(Settings()).openapi()["paths"] if path.endswith("/ws")]
