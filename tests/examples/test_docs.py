"""What docs/frameworks.md shows is what the examples have, which are run by test_examples.py."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/frameworks.md").read_text()
LINK = re.compile(r"\[(examples/[^\]]+)\]\(\.\./([^)]+)\)")


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
