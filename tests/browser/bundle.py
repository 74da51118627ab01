"""The console's copy of the browser client, bundled from its sources.

PYTHONPATH=tests python -m browser.bundle
"""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "libs" / "client-js"
BUNDLE = ROOT / "services" / "edge" / "tailrace_edge" / "console" / "tailrace.js"

_BANNER = "/* libs/client-js, bundled: PYTHONPATH=tests python -m browser.bundle */"


def find_esbuild() -> str | None:
    """Return esbuild's path; None before `npm ci` in libs/client-js."""
    return shutil.which(SOURCES / "node_modules" / ".bin" / "esbuild")


def build(esbuild: str) -> bytes:
    """Return the bundle, made anew."""
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8", f"--banner:js={_BANNER}"]
    command = [esbuild, "src/index.ts", *options]
    return subprocess.run(command, cwd=SOURCES, capture_output=True, check=True, timeout=60).stdout


if __name__ == "__main__":
    found = find_esbuild()
    if found is None:
        raise SystemExit("esbuild is missing: run `npm ci` in libs/client-js")
    BUNDLE.write_bytes(build(found))
