"""The examples of the browser adapters: built as their users build them, from what npm would publish."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from conformance.programs import require_node, require_npm

from client_js.package import PACKAGE, ROOT, prepare_package

FOLDER = ROOT / "examples"
EDGE = b"http://localhost:8080"
"""Where the examples look for an edge."""


def install(folder: Path) -> None:
    """Install what the lock file of a folder names, unless that was done."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".tailrace-lock"
    if not stamp.exists() or stamp.read_text() != lock:
        # Not `ci`: it insists on binaries for all platforms, which not every registry has.
        npm(folder, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund")
        stamp.write_text(lock)


def build(name: str, script: str, output: str, target: Path) -> dict[str, bytes]:
    """Return the files that a script of an example writes to `output`, by their paths; they are kept in `target`."""
    prepare_package()
    folder = FOLDER / name
    with (ROOT / "build" / "client-js-examples.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        npm(PACKAGE, "run", "build")
        install(folder)
        npm(folder, "run", "tailrace")
        npm(folder, "run", script)
        shutil.copytree(folder / output, target)
    return {f"/{path.relative_to(target)}": path.read_bytes() for path in target.rglob("*") if path.is_file()}


def npm(folder: Path, *arguments: str) -> None:
    """Run npm with the Node that the tests bring along; fail the test with what it prints if it fails."""
    environment = os.environ | {"PATH": f"{Path(require_node()).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [require_npm(), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"npm {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
