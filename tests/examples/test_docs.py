"""What docs/frameworks.md shows is what the examples have, which are run by test_examples.py."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/frameworks.md").read_text()
LINK = re.compile(r"\[(examples/[^\]]+)\]\(\.\./([^)]+)\)")


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGE = re.compile(r"\.\./tailrace/(libs/\w+)(?:\[([a-z,]+)\])?|tailrace-(producer)\[([a-z,]+)\]")


def find_packages() -> set[tuple[str, str]]:
    """Return the folders that pages say to install, each with an extra, or with none."""
    found = set()
    for match in PACKAGE.finditer("\n".join(page.read_text() for page in PAGES)):
        folder = match[1] or f"libs/{match[3]}"
        found |= {(folder, extra) for extra in (match[2] or match[4] or "").split(",")}
    return found


@pytest.mark.parametrize(("folder", "extra"), sorted(find_packages()))
def test_what_is_to_be_installed_is_there(folder: str, extra: str) -> None:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]

    assert not extra or extra in project["optional-dependencies"]


def test_every_extra_is_told() -> None:
    project = tomllib.loads((ROOT / "libs/producer/pyproject.toml").read_text())["project"]

    assert {extra for _, extra in find_packages()} - {""} == set(project["optional-dependencies"])


def find_blocks() -> list[tuple[str, str]]:
    """Return each block of Python with the example that is named last before it."""
    blocks = []
    for match in re.finditer(r"```python\n(.*?)```", PAGE, re.DOTALL):
        named = LINK.findall(PAGE[: match.start()])
        assert named, f"no example is named before:\n{match[1]}"
        blocks.append((named[-1][1], match[1]))
    return blocks


@pytest.mark.parametrize(("example", "block"), find_blocks())
def test_each_block_stands_in_its_example(example: str, block: str) -> None:
    assert block in (ROOT / example).read_text()


def test_each_example_is_shown() -> None:
    shown = {Path(example).parts[1] for example, _ in find_blocks()}

    assert shown == {path.parent.name for path in (ROOT / "examples").glob("*/README.md")}


def test_links_say_where_they_lead() -> None:
    assert all(said == target for said, target in LINK.findall(PAGE))
