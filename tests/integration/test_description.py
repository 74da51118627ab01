"""The description of the HTTP interface against the edge: schemathesis sends what it allows, and what it does not."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.broker import Broker
from support.calls import publish
from support.edge import EdgeProcess
from support.guarded_edge import SECRET, sign

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzz(edge: EdgeProcess, folder: Path, *options: str) -> str:
    """Run schemathesis, and return what it says if it found something."""
    folder.mkdir()
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{edge.url}/openapi.json"),
        *("--checks", CHECKS, "--max-examples", "25", "--request-timeout", "20", "--seed", "1"),
        # A stream has no end.
        *("--exclude-path", "/v1/{tenant}/events", "--no-color", *options),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert "Tested:" in done.stdout, done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout


@pytest.mark.parametrize("auth", ["none", "jwt"])
async def test_answers_are_those_that_are_described(broker: Broker, tmp_path: Path, auth: str) -> None:
    settings: dict[str, Any] = {"auth": "jwt", "jwt_secret": SECRET, "jwt_audience": "*"} if auth == "jwt" else {}
    async with EdgeProcess(broker.url, tmp_path / "edge", **settings) as edge:
        options = []
        if auth == "jwt":
            token = sign(subscribe=[">"], publish=[">"], delete=[">"])
            options = ["-H", f"Authorization: Bearer {token}"]
        else:
            await publish(edge, ("jobs.a", {"status": "running"}), ("a.b", 1))
        assert fuzz(edge, tmp_path / "runs", *options) == ""
        assert edge.running
        assert edge.find_errors() == []
