"""What a producer logs in with, and how it goes about nats-py."""

import inspect
import ssl
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from support.nkeys import Nkey
from tailrace_producer import Producer, Settings
from tailrace_producer.client import BrokerClient
from tailrace_producer.commands import Commands
from tailrace_producer.login import Login, explain, find_login
from tailrace_protocol.errors import SetupError

NAMES = ("CA", "CERT", "KEY", "CREDENTIALS", "INBOX_PREFIX")


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(f"TAILRACE_NATS_{name}", f"the {name}")


def test_what_is_left_out_the_environment_says() -> None:
    assert find_login(Settings()) == Login("the CA", "the CERT", "the KEY", "the CREDENTIALS", "the INBOX_PREFIX")


def test_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.create_default_context()
    given = Settings(tls=tls, credentials=Path("x.creds"), inbox_prefix="_INBOX_x")
    login = find_login(given)
    assert login == Login("", "", "", "x.creds", "_INBOX_x", tls)
    assert login.make_context() is tls
    assert login.encrypted
    for name in NAMES:
        monkeypatch.delenv(f"TAILRACE_NATS_{name}")
    assert find_login(Settings()) == Login()
    assert not Login().encrypted


def test_signing_needs_a_library_that_producers_do_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"TAILRACE_NATS_{name}")
    (tmp_path / "x.nk").write_text(Nkey("user").seed)
    settings = Settings(credentials=tmp_path / "x.nk")
    Producer(settings=settings)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(SetupError, match=r"pip install 'tailrace-producer\[nkeys\]'"):
        Producer(settings=settings)


def test_credentials_that_are_none_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.creds").write_text("nothing")
    with pytest.raises(SetupError, match=r"^TAILRACE_NATS_CREDENTIALS: x.creds is no login: it has no seed"):
        Login(credentials=str(tmp_path / "x.creds")).check()


def test_addresses_show_the_certificate_of_the_name_that_was_given() -> None:
    client = BrokerClient(Commands("acme"), Login())
    client._setup_server_pool(["tls://nats.example:4222", "tls://10.0.0.7:4222", "tls://other.example:4222"])
    assert [server.tls_name for server in client._server_pool] == [None, "nats.example", None]


@pytest.mark.parametrize(("code", "hinted"), [(20, True), (62, False)])
def test_who_signed_a_certificate_is_asked_for_where_that_is_the_trouble(code: int, hinted: bool) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "no"
    assert ("TAILRACE_NATS_CA" in explain(error)) is hinted


def test_errors_that_say_nothing_are_named() -> None:
    assert explain(TimeoutError()) == "TimeoutError"


def test_nats_py_is_inside_as_expected() -> None:
    source = inspect.getsource(Client._process_connect_init)
    steps = ["self._process_info(srv_info, initial_connection=True)", '["tls_required"]', "self.ssl_context,"]
    places = [source.rindex(step) for step in [*steps, "self._connect_command()"]]
    assert places == sorted(places)
    assert "self._server_info = srv_info" in source[: places[0]]
    assert isinstance(inspect.getattr_static(Client, "ssl_context"), property)
    assert "self._io_writer" in inspect.getsource(TcpTransport.connect_tls)
    login = inspect.getsource(Client._connect_command)
    assert all(name in login for name in ("self._signature_cb(", "self._user_jwt_cb(", "self._public_nkey"))
