"""Logins at the broker: TLS with an authority of one's own, certificates of clients, `.creds` files and nkeys."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.broker import PATIENCE, Broker, pick_ports
from support.calls import publish, read
from support.certificate import Authority
from support.edge import EdgeProcess
from support.nkeys import Nkey, Operator
from support.waiting import wait_until
from support.watch import END, Watcher
from tailrace_producer import Producer, SyncProducer
from tailrace_protocol.errors import BrokerUnavailable, SetupError

READS = ["$JS.API.STREAM.INFO.EVENTS", "$JS.API.>", "$JS.FC.EVENTS.>", "tailrace.stats", "_INBOX_edge.>"]
STORES = ["events.>", "commands.>", "$JS.API.STREAM.>"]


class StrictBroker(Broker):
    """A broker that takes nobody in without what `demand`, lines of its configuration, says."""

    def __init__(self, folder: Path, demand: str = "") -> None:
        super().__init__(folder, port=pick_ports(1)[0])
        self.demand = demand

    def _config(self) -> str:
        return super()._config() + self.demand

    def demand_certificates(self, authority: Authority, name: str = "broker") -> None:
        """Show a certificate, and take in who shows one of the same authority."""
        cert, key = authority.sign(self.folder.parent, name)
        files = f"cert_file: {json.dumps(cert)}, key_file: {json.dumps(key)}, ca_file: {json.dumps(authority.ca)}"
        self.demand = f"tls {{ {files}, verify: true }}\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[StrictBroker]:
    broker = StrictBroker(tmp_path / "broker")
    yield broker
    broker.kill()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def mutual(broker: StrictBroker, authority: Authority, tmp_path: Path) -> dict[str, str]:
    """The settings of who gets into `broker`, which wants a certificate; it runs, and has a stream."""
    broker.demand_certificates(authority)
    broker.start()
    cert, key = authority.sign(tmp_path, "service")
    settings = {"nats_url": broker.url, "nats_ca": authority.ca, "nats_cert": cert, "nats_key": key}
    assert re.search("stream EVENTS created", init(settings).stdout)
    return settings


def name_variables(settings: dict[str, str]) -> dict[str, str]:
    return {f"TAILRACE_{name.upper()}": value for name, value in settings.items()}


def run(*arguments: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the `tailrace` command with settings as variables."""
    command = [sys.executable, "-m", "tailrace_cli", *arguments]
    environment = os.environ | name_variables(settings)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)


def init(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Create the stream, as soon as the broker is up."""
    while (done := run("init", settings=settings)).returncode != 0:
        assert "no broker answers" in done.stderr or "JetStream" in done.stderr, done.stderr
    return done


async def fail_init(settings: dict[str, str], why: str) -> str:
    """Return what `tailrace init` says once it knows why it cannot: on a busy machine, not the first time."""
    while True:
        done = await asyncio.to_thread(run, "init", settings=settings)
        assert done.returncode == 1
        told = " ".join(done.stderr.split())
        if re.search(why, told):
            return told
        assert "no broker answers" in told


async def fail_publishing(why: str) -> str:
    """Return what a producer says of an event that it cannot publish, once it knows why."""
    async with Producer(tenant="acme") as producer:
        core = producer._core.publisher
        await wait_until(lambda: re.search(why, core.describe_trouble()) is not None)
        with pytest.raises(BrokerUnavailable, match=why) as caught:
            await producer.publish("a", 1, timeout=0.1)
    return str(caught.value)


def use(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in name_variables(settings).items():
        monkeypatch.setenv(name, value)


def make_edge(settings: dict[str, str], folder: Path) -> EdgeProcess:
    others: dict[str, Any] = {name: value for name, value in settings.items() if name != "nats_url"}
    return EdgeProcess(settings["nats_url"], folder, **others)


async def check_all(settings: dict[str, str], folder: Path) -> None:
    """Publish with producers, the command and by HTTP, and watch it all."""
    async with make_edge(settings, folder) as edge, Producer(tenant="acme") as producer:
        first = await producer.publish("a", 1)
        done = await asyncio.to_thread(run, "publish", "a", "2", "--tenant", "acme", settings=settings)
        assert done.returncode == 0, done.stderr
        (third,) = await publish(edge, ("a", 3))
        with SyncProducer(tenant="acme") as plain:
            await asyncio.to_thread(plain.publish, "a", 4)
        last = await producer.publish(END)
        watcher = Watcher([edge.url], ["a"])
        await watcher.run("start")
        numbers = [int(event_id.partition("-")[2]) for event_id in (first, done.stdout.strip(), third, last)]
        assert watcher.sequences == [*numbers[:3], numbers[2] + 1, numbers[3]]
        assert edge.find_errors() == []


# What works


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_certificates_on_both_sides(
    mutual: dict[str, str], scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutual["nats_url"] = mutual["nats_url"].replace("nats://", f"{scheme}://")
    use(monkeypatch, mutual)
    await check_all(mutual, tmp_path / "edge")


async def test_creds_of_one_user_for_reading_and_one_for_storing(
    broker: StrictBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In operator mode, with inboxes of their own."""
    operator = Operator()
    broker.demand = operator.config
    broker.start()
    admin = operator.add_user(tmp_path / "admin.creds", publish=["$JS.API.>"], subscribe=["_INBOX.>"])
    reader = operator.add_user(
        tmp_path / "edge.creds", publish=READS, subscribe=["_INBOX_edge.>", "tailrace.stats", "$JS.>"]
    )
    writer = operator.add_user(tmp_path / "writer.creds", publish=STORES, subscribe=["_INBOX_writer.>", "rollups.>"])
    init({"nats_url": broker.url, "nats_credentials": admin})
    writing = {"nats_url": broker.url, "nats_credentials": writer, "nats_inbox_prefix": "_INBOX_writer"}
    use(monkeypatch, writing)
    reading = {"nats_url": broker.url, "nats_credentials": reader, "nats_inbox_prefix": "_INBOX_edge"}
    publishing = {f"publish_{name}": value for name, value in writing.items()}
    async with make_edge(reading | publishing, tmp_path / "edge") as edge, Producer(tenant="acme") as producer:
        await producer.publish("a", 1)
        await publish(edge, ("a", 2))
        await producer.publish(END)
        watcher = Watcher([edge.url], ["a"])
        await watcher.run("start")
        assert len(watcher.sequences) == 3
        assert (await read(edge, "/v1/stats", cluster="true"))["edges"][0]["ready"]


async def test_an_nkey(broker: StrictBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = Nkey("user")
    broker.demand = f"authorization {{ users: [ {{ nkey: {user.public} }} ] }}\n"
    broker.start()
    (tmp_path / "user.nk").write_text(f"{user.seed}\n")
    settings = {"nats_url": broker.url, "nats_credentials": str(tmp_path / "user.nk")}
    use(monkeypatch, settings)
    init(settings)
    await check_all(settings, tmp_path / "edge")


async def test_renewed_files_count_at_the_next_connection(
    broker: StrictBroker, mutual: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, mutual)
    async with make_edge(mutual, tmp_path / "edge") as edge, Producer(tenant="acme") as producer:
        await producer.publish("a", 1)
        broker.stop()
        renewed = Authority(tmp_path / "renewed")
        files = [renewed.ca, *renewed.sign(tmp_path, "renewed-service")]
        for old, new in zip([mutual["nats_ca"], mutual["nats_cert"], mutual["nats_key"]], files, strict=True):
            shutil.copyfile(new, old)
        broker.demand_certificates(renewed, "renewed-broker")
        broker.start()
        await producer.publish("a", 2, timeout=PATIENCE)
        await producer.publish(END)
        watcher = Watcher([edge.url], ["a"])
        await watcher.run("start")
        assert len(watcher.sequences) == 3


# What is refused, and what is said of it


def spoil(settings: dict[str, str], how: str, tmp_path: Path) -> None:
    """Change settings, or a copy of one of their files, so that nobody gets in with them."""
    other = Authority(tmp_path / "other")
    match how:
        case "another authority":
            settings["nats_ca"] = other.ca
        case "no authority":
            del settings["nats_ca"]
        case "no certificate":
            del settings["nats_cert"], settings["nats_key"]
        case "another's certificate":
            settings["nats_cert"], settings["nats_key"] = other.sign(tmp_path, "stranger")
        case "missing":
            settings["nats_ca"] = str(tmp_path / "secret-folder" / "missing.pem")
        case "another's key":
            settings["nats_key"] = other.sign(tmp_path, "stranger")[1]
        case "no PEM":
            Path(settings["nats_ca"]).write_text("nothing")
        case "a key alone":
            del settings["nats_cert"]


REFUSED = {
    "another authority": "the broker's certificate is not trusted: .*; TAILRACE_NATS_CA names",
    "no authority": "the broker's certificate is not trusted: .*; TAILRACE_NATS_CA names",
    "no certificate": "TAILRACE_NATS_CERT",
    "another's certificate": "TAILRACE_NATS_CERT",
}
UNUSABLE = {
    "missing": "TAILRACE_NATS_CA: missing.pem cannot be read: No such file or directory",
    "another's key": "TAILRACE_NATS_CERT, TAILRACE_NATS_KEY: service.pem with stranger.key is no certificate",
    "no PEM": "TAILRACE_NATS_CA: ca.pem has no certificates in PEM",
    "a key alone": "TAILRACE_NATS_KEY is the key of a certificate: set TAILRACE_NATS_CERT, too",
}


@pytest.mark.parametrize("how", REFUSED)
async def test_who_is_not_trusted_is_told_so(
    mutual: dict[str, str], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, dict.fromkeys(mutual, ""))
    spoil(mutual, how, tmp_path)
    use(monkeypatch, mutual)
    assert str(tmp_path) not in await fail_init(mutual, REFUSED[how])
    assert str(tmp_path) not in await fail_publishing(REFUSED[how])
    edge = make_edge(mutual, tmp_path / "edge")
    edge.start()
    try:
        await wait_until(lambda: any(re.search(REFUSED[how], str(line.get("error"))) for line in edge.read_log()))
    finally:
        edge.kill()
    assert str(tmp_path) not in edge.log_path.read_text()


@pytest.mark.parametrize("how", UNUSABLE)
async def test_files_that_cannot_be_used_are_told_at_the_start(
    authority: Authority, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = authority.sign(tmp_path, "service")
    settings = {"nats_url": "tls://127.0.0.1:1", "nats_ca": authority.ca, "nats_cert": cert, "nats_key": key}
    spoil(settings, how, tmp_path)
    use(monkeypatch, settings)
    for arguments in (["init"], ["edge", "--port", "0"], ["publish", "a", "1"]):
        done = await asyncio.to_thread(run, *arguments, settings=settings)
        assert done.returncode == 1
        assert UNUSABLE[how] in " ".join(done.stderr.split())
        assert str(tmp_path) not in done.stderr
    for make in (Producer, SyncProducer):
        with pytest.raises(SetupError, match=re.escape(UNUSABLE[how])):
            make()


@pytest.mark.parametrize("setting", [{}, {"nats_ca": "authority/ca.pem"}])
async def test_nothing_is_sent_in_the_clear_where_tls_is_wanted(
    authority: Authority, setting: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sits in between could say that the broker has no TLS."""
    received: list[bytes] = []

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true}\r\n')
        received.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    scheme = "nats" if setting else "tls"
    url = f"{scheme}://user:password@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings: dict[str, Any] = {"nats_url": url} | {name: str(tmp_path / path) for name, path in setting.items()}
    use(monkeypatch, settings)
    async with server:
        await fail_init(settings, "the broker has no TLS")
        await fail_publishing("the broker has no TLS")
    await wait_until(lambda: bool(received))
    assert set(received) == {b""}
