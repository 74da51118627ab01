"""docs/command-line.md says what the commands say."""

from cli.reference import DOCUMENT, fill_in, list_commands, list_documented


def test_every_command_is_documented() -> None:
    assert list_documented(DOCUMENT.read_text()) == list_commands()


def test_the_options_are_those_of_the_commands() -> None:
    text = DOCUMENT.read_text()

    assert fill_in(text) == text, "run: PYTHONPATH=tests python -m cli.reference"
