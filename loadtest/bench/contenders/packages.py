"""Packages: what contenders need that is not here yet, from Debian and from PyPI."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import Unavailable
from bench.watchers import BUILD

_SECONDS = 600


def require_programs(programs: Sequence[str], packages: Sequence[str], *, install: bool) -> None:
    """Make sure that programs can be run.

    Args:
        programs: their names, or paths of files.
        packages: Debian's, which bring them.
        install: `apt-get install` may be tried, if this is root.

    Raises:
        Unavailable: one is missing, and how to get it.
    """
    if _has_all(programs):
        return
    how = f"apt-get install -y {' '.join(packages)}, as root on Debian"
    if not (install and os.geteuid() == 0 and shutil.which("apt-get")):
        raise Unavailable(f"{', '.join(packages)} not installed: {how}")
    print(f"bench: {how}", flush=True)
    # RUNLEVEL keeps invoke-rc.d from starting the services that the packages bring.
    environment = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run_installer(["apt-get", "update"], environment)
    run_installer(["apt-get", "install", "-y", "--no-install-recommends", *packages], environment)
    if not _has_all(programs):
        raise Unavailable(f"{', '.join(packages)} were installed, but {', '.join(programs)} cannot be found")


def make_environment(name: str, requirements: Path, *, install: bool) -> Path:
    """Return the Python of a virtual environment with pinned requirements.

    Raises:
        Unavailable: they cannot be installed.
    """
    folder = BUILD / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return python
    if not install:
        raise Unavailable(f"{name} is not made yet: make bench makes it")
    print(f"bench: making {folder}", flush=True)
    run_installer([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run_installer([*pip, "--require-hashes", "-r", str(requirements)])
    shutil.copyfile(requirements, stamp)
    return python


def run_installer(
    command: Sequence[str], environment: dict[str, str] | None = None, folder: Path | None = None
) -> None:
    """Run something that downloads.

    Raises:
        Unavailable: it failed; what it said last.
    """
    try:
        done = subprocess.run(
            command,
            env=os.environ | (environment or {}),
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]} did not work: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"{' '.join(command[:3])} failed: {' '.join(said[-3:])[-400:]}")


def _has_all(programs: Sequence[str]) -> bool:
    return all(shutil.which(program) or Path(program).exists() for program in programs)
