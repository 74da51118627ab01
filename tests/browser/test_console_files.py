"""The console's files: as an edge serves them, as they are made, and as they were checked."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from browser.bundle import BUNDLE, SOURCES, build, find_esbuild
from client_js.package import prepare_package
from support.calls import call
from support.edge import EdgeProcess

pytestmark = pytest.mark.timeout(300)

CONSOLE = Path(str(files("tailrace_edge").joinpath("console")))
SERVED = sorted(path.name for path in CONSOLE.iterdir() if path.suffix in (".css", ".js", ".html", ".svg"))


@pytest.mark.parametrize("name", SERVED)
async def test_each_is_served_with_its_policy_and_its_tag(edge: EdgeProcess, name: str) -> None:
    answer = await call(edge, f"/console/{name}")

    assert answer.status_code == 200
    assert answer.content == (CONSOLE / name).read_bytes()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = await call(edge, f"/console/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_page_is_at_console(edge: EdgeProcess) -> None:
    answer = await call(edge, "/console")
    assert answer.content == (CONSOLE / "index.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", ["nothing.js", "tailrace.d.ts", "..%2fsettings.py", "%2e%2e/settings.py"])
async def test_nothing_else_is_served(edge: EdgeProcess, name: str) -> None:
    answer = await call(edge, f"/console/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_files_name_no_other_origin_and_take_no_markup() -> None:
    for name in SERVED:
        text = (CONSOLE / name).read_text()
        if name != "tailrace.js":
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), name
        found = [url for url in re.findall(r"https?://[^\s\"'`]*", text) if not url.startswith("http://www.w3.org/")]
        assert found == [], name


def test_the_bundle_is_that_of_the_sources() -> None:
    prepare_package()
    esbuild = find_esbuild()
    assert esbuild is not None
    assert BUNDLE.read_bytes() == build(esbuild), "run: PYTHONPATH=tests python -m browser.bundle"


def test_the_modules_have_right_types() -> None:
    prepare_package()
    compiler = shutil.which(SOURCES / "node_modules" / ".bin" / "tsc")
    assert compiler is not None
    command = [compiler, "-p", str(Path(__file__).with_name("tsconfig.json"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout


def test_no_file_is_long() -> None:
    own = [name for name in SERVED if name != "tailrace.js"]
    assert max(len((CONSOLE / name).read_text().splitlines()) for name in own) <= 400
