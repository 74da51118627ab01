"""A file for cursors that cannot be written is told when the stream is made, not when the first cursor is saved."""

from pathlib import Path

import pytest
from tailrace_client import Client, SyncClient
from tailrace_protocol.errors import InvalidInput


@pytest.mark.parametrize("kind", [Client, SyncClient])
@pytest.mark.parametrize(
    ("place", "said"),
    [("missing/a.cursor", "a folder that does not exist"), ("", "is a folder"), ("file/a.cursor", "does not exist")],
)
def test_a_place_where_no_file_can_be(
    kind: type[Client] | type[SyncClient], place: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    client = kind("http://127.0.0.1:1", tenant="acme")
    with pytest.raises(InvalidInput, match=said):
        client.stream("a", cursor=tmp_path / place)


def test_a_file_that_is_yet_to_come_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    client = SyncClient("http://127.0.0.1:1", tenant="acme")
    for cursor in ("a.cursor", tmp_path / "b.cursor"):
        assert client.stream("a", cursor=cursor).cursor is None
