"""The reference of the commands' options in docs/command-line.md, made from the commands themselves.

PYTHONPATH=tests python -m cli.reference
"""

import re
from pathlib import Path
from typing import Any

from tailrace_cli.main import app
from typer.main import get_command

DOCUMENT = Path(__file__).parents[2] / "docs" / "command-line.md"

_PART = re.compile(r"(<!-- options of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def list_commands() -> list[str]:
    return list(_get_commands())


def list_documented(text: str) -> list[str]:
    return [part[2] for part in _PART.finditer(text)]


def fill_in(text: str) -> str:
    """Return the document with the tables as they have to be."""
    commands = _get_commands()
    return _PART.sub(lambda part: f"{part[1]}{_make_table(commands[part[2]])}\n{part[3]}", text)


def _get_commands() -> dict[str, Any]:
    group: Any = get_command(app)
    commands: dict[str, Any] = group.commands
    return commands


def _make_table(command: Any) -> str:
    rows = [_make_row(parameter) for parameter in command.params if parameter.name != "help"]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def _make_row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        names = [(parameter.metavar or parameter.name).strip("[]").upper()]
    else:
        names = sorted(parameter.opts, key=len, reverse=True) + parameter.secondary_opts
    meaning = re.sub(r"\[/?dim\]", "", parameter.help)
    variable = re.search(r" \((TAILRACE_\w+)(?:, (.*))?\)$", meaning)
    default = _format_default(parameter)
    if variable is not None:  # the edge's, whose settings know
        meaning = f"{meaning[: variable.start()]} `{variable[1]}`"
        default = variable[2] or ""
    elif parameter.envvar:
        meaning += f" `{parameter.envvar}`"
    cells = ", ".join(f"`{name}`" for name in names), f"`{default}`" if default else "", meaning.replace("|", "\\|")
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _format_default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    match parameter.default:
        case None | False | True:
            return ""
        case list():
            return ", ".join(parameter.default)
        case default:
            return str(default)


if __name__ == "__main__":
    DOCUMENT.write_text(fill_in(DOCUMENT.read_text()))
