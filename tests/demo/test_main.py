"""The demo's exit status."""

import sys
from pathlib import Path

import pytest
from rich.console import Console
from tailrace_cli import mistakes
from tailrace_demo import main
from tailrace_demo.audit import Record, compare
from tailrace_demo.demo import Options
from tailrace_demo.display import Summary


@pytest.fixture(autouse=True)
def keep_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command silences the logs of its process, which is the tests' here."""
    monkeypatch.setattr(mistakes, "configure_logs", lambda *_: None)


LOG = [Record(1, "a"), Record(2, "a")]


@pytest.mark.parametrize(("received", "status"), [(LOG, 0), (LOG[:1], 1), ([*LOG, LOG[1]], 1), (LOG[::-1], 1)])
def test_the_status_is_0_only_if_nothing_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, received: list[Record], status: int
) -> None:
    expected = Options(tmp_path.resolve(), edges=3, kill=False, keep=False)

    async def run_demo(options: Options, _console: Console) -> Summary:
        assert options == expected
        return Summary({}, 1.0, compare(LOG, received), 0)

    monkeypatch.setattr(main, "run_demo", run_demo)
    monkeypatch.setattr(sys, "argv", ["demo", "--folder", str(tmp_path), "--edges", "3", "--no-kill"])

    with pytest.raises(SystemExit) as exit_info:
        main.main()

    assert exit_info.value.code == status


def test_a_folder_that_is_not_there_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["demo", "--folder", "/nowhere"])

    with pytest.raises(SystemExit) as exit_info:
        main.main()

    assert exit_info.value.code == 2
    assert "--folder" in capsys.readouterr().err
