"""The npm package of the TypeScript client, with what it is built and tested with."""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from conformance.programs import require_node, require_npm

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "libs" / "client-js"


def prepare_package(folder: Path = PACKAGE) -> Path:
    """Return a package's folder, with all that its lock file names installed; several tests may call this at once."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".tailrace-lock"
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "client-js.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != lock:
            run([require_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            stamp.write_text(lock)
    return folder


def run(command: list[str | Path], folder: Path = PACKAGE) -> str:
    """Return what a program prints that runs in a package's folder; fail the test with it if the program fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_module(name: str, *arguments: str) -> str:
    """Return what a program of the package's node_modules prints."""
    return run([require_node(), prepare_package() / "node_modules" / name, *arguments])


def bundle(entry: Path, target: Path) -> Path:
    """Return the one minified module that a page loads."""
    run([require_node(), prepare_package() / "bundle.mjs", entry, target])
    return target
