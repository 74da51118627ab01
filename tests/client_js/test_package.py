"""The package by itself: its types, its own tests, its size, and what it would be installed from."""

import json
from pathlib import Path

import pytest
from conformance.programs import require_node

from client_js.package import PACKAGE, prepare_package, run, run_module

pytestmark = pytest.mark.timeout(300)

CORE = 5_120
SHARING = 7_168
"""Bytes, minified and gzipped, that a page loads at once; texts, calls and EventSource come when they are needed."""


def test_types_are_strict_and_right() -> None:
    run_module("typescript/bin/tsc", "-p", "tsconfig.json")


def test_its_own_tests_pass() -> None:
    prepare_package()
    tests = sorted((PACKAGE / "test").glob("*.test.ts"))
    run([require_node(), "--test", "--test-timeout=60000", *tests])


def test_what_is_published_is_importable_with_its_types(tmp_path: Path) -> None:
    run_module("typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", str(tmp_path / "dist"))
    exports = json.loads((PACKAGE / "package.json").read_text())["exports"]
    # The other ones import what whoever uses them has installed.
    for name in (".", "./share"):
        assert (tmp_path / exports[name]["types"]).is_file(), name
        file = json.dumps(str(tmp_path / exports[name]["default"]))
        run([require_node(), "--input-type=module", "-e", f"await import({file})"])


def test_it_stays_small() -> None:
    prepare_package()
    sizes = json.loads(run([require_node(), "sizes.mjs"]))
    assert sizes["core"]["atOnce"] <= CORE, sizes
    assert sizes["sharing"]["atOnce"] <= SHARING, sizes


def test_the_lock_file_names_no_registry() -> None:
    text = (PACKAGE / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert "registry" not in text


def test_there_are_no_dependencies_at_run_time() -> None:
    assert "dependencies" not in json.loads((PACKAGE / "package.json").read_text())
