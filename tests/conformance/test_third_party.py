"""Other people's clients, from npm and PyPI; those that fail by their own fault are expected to, as they do."""

import asyncio
import fcntl
import json
from pathlib import Path

import pytest
from support.broker import Broker, create_stream, pick_ports

from conformance.programs import require_chromium
from conformance.third_party.clients import CLIENTS, Client, Environment
from conformance.third_party.packages import HERE, prepare_commands
from conformance.third_party.story import run_story

pytestmark = pytest.mark.timeout(1200)

README = HERE.parent / "README.md"
EACH = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.fixture(scope="module")
def damages(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, str]:
    """What became of each client's stream. All processes of pytest-xdist share one story."""
    commands = prepare_commands(CLIENTS)
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "third-party"
    folder.mkdir(exist_ok=True)
    results = folder / "damages.json"
    with (folder / "lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not results.exists():
            results.write_text(json.dumps(_tell_story(folder, commands)))
    told: dict[str, str] = json.loads(results.read_text())
    return told


def _tell_story(folder: Path, commands: dict[str, list[str | Path]]) -> dict[str, str]:
    broker = Broker(folder / "broker", port=pick_ports(1)[0])
    broker.start()
    try:
        asyncio.run(create_stream(broker.url))
        return asyncio.run(run_story(broker, folder, commands))
    finally:
        broker.kill()


@EACH
def test_reads_all_in_order_while_an_edge_is_killed_and_a_connection_reset(
    client: Client, damages: dict[str, str]
) -> None:
    if client.environment is Environment.CHROMIUM:
        require_chromium()
    damage = damages[client.name]
    if client.fault is None:
        assert not damage
        return
    assert damage, f"{client.name} is mended: take its fault off clients.py and README.md"
    assert damage == client.fault.damage
    pytest.xfail(f"{client.name} {client.fault.reason}")


@EACH
def test_the_page_says_what_is_pinned_and_what_it_does(client: Client) -> None:
    result = f"fails: {client.fault.reason}" if client.fault else "passes"
    assert f"| {client.name} | {client.version} | {result} |" in README.read_text()
    if client.environment in (Environment.NPM, Environment.CHROMIUM):
        pinned = json.loads((HERE / "package.json").read_text())["dependencies"].values()
        assert client.version in [version.rpartition("@")[2] for version in pinned]
    else:
        file = "requirements-niquests.txt" if client.environment is Environment.NIQUESTS else "requirements.txt"
        assert f"{client.name.partition(' ')[0]}=={client.version} \\" in (HERE / file).read_text()


@pytest.mark.parametrize("name", ["package-lock.json", "requirements.txt", "requirements-niquests.txt"])
def test_what_is_pinned_names_no_registry(name: str) -> None:
    text = (HERE / name).read_text()
    assert '"resolved"' not in text
    assert "://" not in text
