"""The element's own tests, its size, and the copy of it that the demo's page has."""

import json
from pathlib import Path

import pytest
from client_js.package import PACKAGE, bundle, prepare_package, run
from conformance.programs import require_node

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
COPY = ROOT / "services" / "demo" / "tailrace_demo" / "page" / "tailrace-element.js"
ADDS = 4096
"""Bytes, minified and gzipped, that a page with the element loads at once besides the core."""


def test_its_own_tests_pass() -> None:
    prepare_package()
    tests = sorted((PACKAGE / "test" / "element").glob("*.test.ts"))
    assert tests
    run([require_node(), "--test", "--test-timeout=60000", *tests])


def test_it_stays_small() -> None:
    prepare_package()
    sizes = json.loads(run([require_node(), "sizes.mjs"]))
    assert sizes["element"]["atOnce"] - sizes["core"]["atOnce"] <= ADDS, sizes


def test_the_demo_has_the_newest(tmp_path: Path) -> None:
    made = bundle(PACKAGE / "src" / "element" / "index.ts", tmp_path / "tailrace-element.js")
    assert made.read_bytes() == COPY.read_bytes(), "run `npm run element` in libs/client-js"


def test_servers_can_import_it() -> None:
    prepare_package()
    entry = json.dumps(str(PACKAGE / "src" / "shim.ts"))
    run([require_node(), "--input-type=module", "-e", f"await import({entry})"])
