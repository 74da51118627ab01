"""The bench in its short form: everything runs, everything arrives. Nothing is timed."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SCENARIOS = {
    "fanout", "bursts", "topics", "tenant", "idle", "connects", "resumes", "slow", "scale", "producer", "history",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "bench", "--short", "--out", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "loadtest")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, json.loads((folder / "results.json").read_text())
