"""Logs: one line a record in either form, and no secrets."""

import json
import logging
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
import structlog
from tailrace_edge.jetstream import JetStream
from tailrace_edge.logs import configure_logs

configure_logs(sys.argv[1], sys.argv[2])
log = structlog.get_logger("some.module")
log.debug("too little")
log.warning("a word", number=1)
logging.getLogger("uvicorn.error").info("from %s", "uvicorn")
logging.getLogger("uvicorn.access").info("never")
logging.getLogger("nats.aio.client").error("never")

def connect(url):
    jetstream = JetStream(url, name="x")
    raise ValueError("it failed")

url = "nats://user:secret@127.0.0.1:1"
try:
    connect(url)
except ValueError:
    log.exception("an error")
"""


def run(form: str, level: str = "info") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, level, form], capture_output=True, text=True, check=True
    )
    assert done.stdout == "", "standard output is for what was asked for"
    return done.stderr


def test_json() -> None:
    records = [json.loads(line) for line in run("json").splitlines()]
    assert [(record["level"], record["event"]) for record in records] == [
        ("warning", "a word"),
        ("info", "from uvicorn"),
        ("error", "an error"),
    ]
    assert records[0]["number"] == 1
    assert {record["logger"] for record in records} == {"some.module", "uvicorn.error"}
    assert all(record["timestamp"].endswith("Z") for record in records)
    assert "ValueError: it failed" in records[2]["exception"]


def test_auto_is_json_where_nobody_looks() -> None:
    assert json.loads(run("auto").splitlines()[0])["event"] == "a word"


def test_console() -> None:
    text = run("console")
    for expected in ("a word", "number", "from uvicorn", "an error", "ValueError: it failed"):
        assert expected in text
    assert "never" not in text


def test_levels() -> None:
    assert "too little" in run("json", "debug")
    assert "a word" not in run("json", "error")


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_password_is_shown(form: str) -> None:
    """A traceback shows the lines of the program, not what its variables held."""
    shown = run(form, "debug")
    assert "it failed" in shown
    assert "secret" not in shown
    assert logging.getLogger().level == logging.WARNING, "only the other process was configured"
