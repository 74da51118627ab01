"""The import rule, read from the sources: protocol <- producer, client, edge; what does no I/O imports none."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOLDERS = {
    "protocol": ROOT / "libs/protocol",
    "producer": ROOT / "libs/producer",
    "client": ROOT / "libs/client",
    "cli": ROOT / "libs/cli",
    "edge": ROOT / "services/edge",
    "demo": ROOT / "services/demo",
}

ALLOWED = {
    "protocol": set[str](),
    "producer": {"protocol"},
    "client": {"protocol"},
    "edge": {"protocol"},
    "cli": {"protocol", "producer", "client", "edge"},
    "demo": {"protocol", "producer", "client", "edge", "cli"},
}

IO_MODULES = {
    *("asyncio", "anyio", "uvloop", "socket", "socketserver", "select", "selectors", "ssl", "http", "urllib", "nats"),
    *("os", "io", "pathlib", "shutil", "subprocess", "signal", "threading", "multiprocessing", "concurrent"),
}
CLOCKS = {"time", "sched"}
"""The engine takes the time as an argument."""

PACKAGES = sorted(FOLDERS)


def find_sources(package: str, subpackage: str = "") -> list[Path]:
    sources = sorted((FOLDERS[package] / f"tailrace_{package}" / subpackage).rglob("*.py"))
    assert sources, f"{package}/{subpackage} has no sources: the rule would hold for nothing"
    return sources


def read_imports(source: str) -> Iterator[str]:
    """Yield every absolute module name that `source` imports, at any depth; relative imports stay inside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            [name] = node.args
            yield str(ast.literal_eval(name))


def find_imports(paths: list[Path]) -> dict[str, set[Path]]:
    """Top-level module name to the files that import it."""
    imports: dict[str, set[Path]] = {}
    for path in paths:
        for name in read_imports(path.read_text()):
            imports.setdefault(name.partition(".")[0], set()).add(path.relative_to(ROOT))
    return imports


def read_declared(package: str) -> set[str]:
    """The normalized names of the distributions that the package's pyproject.toml asks for."""
    project = tomllib.loads((FOLDERS[package] / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for extra in project.get("optional-dependencies", {}).values() for r in extra),
    ]
    return {normalize(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]) for requirement in requirements}


def normalize(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def is_third_party(module: str) -> bool:
    return module not in sys.stdlib_module_names and not module.startswith("tailrace_")


def test_every_package_is_watched() -> None:
    found = {path.parent for folder in ("libs", "services") for path in (ROOT / folder).glob("*/pyproject.toml")}

    assert set(FOLDERS.values()) == found


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import a.b, c\ndef f():\n  from d.e import g\n  import_module('h.i')\nif x:\n  import j as k\nfrom . import l"
    )

    assert sorted(read_imports(source)) == ["a.b", "c", "d.e", "h.i", "j"]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_one_way(package: str) -> None:
    ours = {name: files for name, files in find_imports(find_sources(package)).items() if name.startswith("tailrace_")}
    foreign = {
        name: files
        for name, files in ours.items()
        if name.removeprefix("tailrace_") not in ALLOWED[package] | {package}
    }

    assert foreign == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_it_declares(package: str) -> None:
    distributions = packages_distributions()
    declared = read_declared(package)
    imports = find_imports(find_sources(package))
    undeclared = {
        module: files
        for module, files in imports.items()
        if is_third_party(module) and not declared & {normalize(name) for name in distributions.get(module, [])}
    }
    siblings = {name for name in imports if name.startswith("tailrace_")} - {f"tailrace_{package}"}

    assert undeclared == {}
    assert {normalize(name) for name in siblings} <= declared


def test_the_protocol_needs_msgspec_only_and_does_no_io() -> None:
    imports = find_imports(find_sources("protocol"))

    assert {module for module in imports if is_third_party(module)} == {"msgspec"}
    assert imports.keys() & IO_MODULES == set()
    assert read_declared("protocol") == {"msgspec"}


def test_the_connection_of_the_edge_and_its_client_alone_import_nats() -> None:
    importers = find_imports(find_sources("edge")).get("nats", set())

    assert importers <= {Path("services/edge/tailrace_edge") / name for name in ("client.py", "jetstream.py")}


def test_the_engine_does_no_io_and_has_no_clock() -> None:
    sources = find_sources("edge", "engine")
    calls = {
        (path.name, ast.unparse(node.func))
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }

    assert find_imports(sources).keys() & (IO_MODULES | CLOCKS) == set()
    assert {(name, call) for name, call in calls if re.search(r"(^open|\b(now|utcnow|today))$", call)} == set()
