"""What ESLint finds in the project's TypeScript and JavaScript, with what the compiler knows of it: nothing."""

import pytest

from client_js.examples import npm
from client_js.package import PACKAGE, ROOT, prepare_package

pytestmark = pytest.mark.timeout(300)

LINTER = ROOT / "tests" / "client_js" / "lint"


def test_nothing_is_found() -> None:
    prepare_package(PACKAGE)
    npm(prepare_package(LINTER), "run", "lint")


def test_the_lock_file_names_no_registry() -> None:
    text = (LINTER / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert "registry" not in text
