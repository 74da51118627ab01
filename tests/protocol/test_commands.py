import msgspec
from tailrace_protocol.commands import (
    Command,
    CommandAnswer,
    CommandKind,
    RollUp,
    format_command_subject,
    format_rollup_subject,
)


def test_a_command_is_one_line_of_json() -> None:
    assert msgspec.json.encode(Command(CommandKind.CANCEL)) == b'{"command":"cancel"}'
    assert msgspec.json.decode(b'{"taken":true}', type=CommandAnswer) == CommandAnswer(taken=True)
    assert msgspec.json.encode(RollUp("5f2c91ab-7")) == b'{"id":"5f2c91ab-7"}'


def test_subjects_lie_outside_the_log() -> None:
    assert format_command_subject("acme", "users.7.jobs.42") == "commands.acme.users.7.jobs.42"
    assert format_rollup_subject("acme", "chats.17") == "rollups.acme.chats.17"
