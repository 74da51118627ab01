"""The environments of the clients, made once in `build`."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from conformance.programs import find_npm, require_chromium, require_node
from conformance.third_party.clients import Client, Environment

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build"
_READERS = HERE / "readers"
_MODULE = "conformance.third_party.readers"
_SECONDS = 300
"""For each command that downloads: the test has more."""


def prepare_commands(clients: Sequence[Client]) -> dict[str, list[str | Path]]:
    """Return the commands that run the clients' programs, by their names; several tests may call this at once.

    Skips the test if an environment cannot be made, and fails it under CI.
    """
    chromium = _find_chromium()
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "third-party.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        modules = _prepare_modules()
        prefixes: dict[Environment, list[str | Path]] = {
            Environment.NPM: [require_node(), "--no-warnings"],
            Environment.CHROMIUM: [sys.executable, "-m", f"{_MODULE}.read_in_chromium", chromium],
            Environment.PYPI: [_prepare_python("third-party-pypi", "requirements.txt"), "-m"],
            Environment.NIQUESTS: [_prepare_python("third-party-niquests", "requirements-niquests.txt"), "-m"],
        }
    return {
        client.name: [*prefixes[client.environment], _locate(client.program, modules)]
        for client in clients
        if chromium or client.environment is not Environment.CHROMIUM
    }


def _locate(program: str, modules: Path) -> str | Path:
    return modules / program if program.endswith(".mjs") else f"{_MODULE}.{program}"


def _find_chromium() -> str:
    """Return Chromium's path, "" where its absence is to skip but the test that needs it."""
    try:
        return require_chromium()
    except pytest.skip.Exception:
        return ""


def _prepare_modules() -> Path:
    """Return a copy of the programs, in a place from which Node finds the packages."""
    folder = BUILD / "third-party-npm"
    lock = HERE / "package-lock.json"
    stamp = folder / "installed.json"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        folder.mkdir(exist_ok=True)
        for file in (HERE / "package.json", lock):
            shutil.copy(file, folder)
        npm = find_npm()
        if npm is None:
            _give_up("npm is missing")
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        shutil.copyfile(lock, stamp)
    readers = folder / "readers"
    readers.mkdir(exist_ok=True)
    for program in _READERS.glob("*.mjs"):
        shutil.copy(program, readers)
    return readers


def _prepare_python(name: str, file: str) -> Path:
    """Return the Python of an environment."""
    folder = BUILD / name
    python = folder / "bin" / "python"
    requirements = HERE / file
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != requirements.read_bytes():
        _run([sys.executable, "-m", "venv", "--clear", folder], BUILD)
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes"]
        _run([python, "-m", "pip", "install", *options, "-r", requirements], BUILD)
        shutil.copyfile(requirements, stamp)
    return python


def _run(command: Sequence[str | Path], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        _give_up(f"{command[0]} took more than {_SECONDS} s")
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        _give_up(f"{command[0]} failed: {' '.join(said[-3:])[-400:]}")


def _give_up(reason: str) -> NoReturn:
    reason = f"the third-party clients cannot be installed: {reason}"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(reason)
    pytest.fail(reason)
