"""Go programs, built from released modules into build/; caches stay there too."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.contenders.packages import run_installer
from bench.errors import Unavailable
from bench.watchers import BUILD

MODULE = Path(__file__).with_name("go")
"""Has the go.mod and go.sum that pin what is built from source."""


def find_program(name: str, command: Sequence[str], *, install: bool) -> Path:
    """Return the path of a program in build/, which `command` makes if it is not there yet.

    Args:
        name: of the program.
        command: arguments of go; run beside the pinned go.mod, with GOBIN set to build/.
        install: it may be downloaded.

    Raises:
        Unavailable: there is no Go, or the modules cannot be had.
    """
    program = BUILD / name
    if program.exists():
        return program
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise Unavailable("Go is not installed")
    if not install:
        raise Unavailable(f"{program.name} is not built yet: make bench builds it")
    print(f"bench: building {name} from its Go modules", flush=True)
    environment = {
        "GOPATH": str(BUILD / "go"),
        "GOCACHE": str(BUILD / "go-cache"),
        "GOBIN": str(BUILD),
        "GOFLAGS": "-modcacherw",
    }
    run_installer([go, *command], environment, MODULE)
    return program


def find_module_version(module: str) -> str:
    """Return the version of a module that is built from source, as pinned."""
    for line in (MODULE / "go.mod").read_text().splitlines():
        name, _, version = line.strip().removeprefix("require ").partition(" ")
        if name == module:
            return version.removesuffix("// indirect").strip()
    return ""
