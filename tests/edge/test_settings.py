"""Settings: their names, their bounds, and the table of them in the docs."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from tailrace_edge.settings import Settings, find_unknown
from tailrace_protocol.errors import SetupError

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
FIELDS = Settings.model_fields


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.delenv(f"TAILRACE_{name.upper()}", raising=False)


def show_default(field: FieldInfo) -> str:
    default = field.default
    if field.default_factory is not None:
        return "host name and process id"
    if default in ((), "", SecretStr("")):
        return "none"
    if isinstance(default, bool):
        return "`true`" if default else "`false`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def make_table() -> str:
    """Return the table in docs/settings.md as it has to be."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in FIELDS.items():
        lines.append(f"| `TAILRACE_{name.upper()}` | {show_default(field)} | {field.description} |")
    return "\n".join(lines)


def test_the_docs_have_every_setting() -> None:
    """If this fails, put the table that is expected here into the docs."""
    table = re.search(r"^\| variable .*?(?=\n\n|\Z)", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert table is not None
    assert table[0].strip() == make_table()


@pytest.mark.parametrize("name", FIELDS)
def test_each_is_described(name: str) -> None:
    description = FIELDS[name].description
    assert description is not None
    assert description.endswith(".")


@pytest.mark.parametrize("name", FIELDS)
def test_each_is_a_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, tuple[str, Any]] = {
        "nats_url": ("nats://a:1,nats://b:2", "nats://a:1,nats://b:2"),
        "host": ("::1", "::1"),
        "reuse_port": ("true", True),
        "name": ("x", "x"),
        "auth": ("none", "none"),
        "nats_ca": ("ca.pem", "ca.pem"),
        "nats_cert": ("cert.pem", "cert.pem"),
        "nats_key": ("key.pem", "key.pem"),
        "nats_credentials": ("edge.creds", "edge.creds"),
        "nats_inbox_prefix": ("_INBOX_edge", "_INBOX_edge"),
        "publish_nats_url": ("nats://p:1", "nats://p:1"),
        "publish_nats_credentials": ("publisher.creds", "publisher.creds"),
        "publish_nats_inbox_prefix": ("_INBOX_publisher", "_INBOX_publisher"),
        "insecure": ("true", True),
        "jwt_secret": ("s", SecretStr("s")),
        "jwt_key_files": ("a.pem,b.pem", (Path("a.pem"), Path("b.pem"))),
        "jwks_urls": ("https://a/k iss=x,https://b/k", ("https://a/k iss=x", "https://b/k")),
        "jwt_issuers": ("a, b", ("a", "b")),
        "jwt_audience": ("a", ("a",)),
        "auth_rules": ("tenant = acme", "tenant = acme"),
        "auth_cookie": ("session", "session"),
        "ticket_secret": ("s", SecretStr("s")),
        "trusted_proxies": ("10.0.0.0/8", ("10.0.0.0/8",)),
        "cors_origins": ("https://a.example, https://b.example,", ("https://a.example", "https://b.example")),
        "faults": ("true", True),
        "log_level": ("debug", "debug"),
        "log_format": ("json", "json"),
    }
    text, value = values.get(name, ("7", 7))
    monkeypatch.setenv(f"TAILRACE_{name.upper()}", text)
    if name in ("jwt_secret", "jwt_key_files", "jwks_urls"):
        monkeypatch.setenv("TAILRACE_AUTH", "jwt")
    if name.startswith("publish_nats"):
        monkeypatch.setenv("TAILRACE_PUBLISH_NATS_URL", "nats://p:1")
    assert getattr(Settings(), name) == value


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.annotation in (int, float)])
@pytest.mark.parametrize("text", ["-1", "x", "", "nan"])
def test_numbers_are_bounded(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TAILRACE_{name.upper()}", text)
    with pytest.raises(ValidationError, match=name):
        Settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_free(host: str) -> None:
    assert Settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", ""])
def test_anything_else_needs_authentication(host: str) -> None:
    with pytest.raises(SetupError, match="listens on loopback only"):
        Settings(host=host)


@pytest.mark.parametrize(
    "settings",
    [{"auth": "jwt", "jwt_secret": "x" * 32}, {"host": "0.0.0.0", "insecure": True}],
    ids=["with authentication", "beyond loopback"],
)
def test_faults_are_for_development(settings: dict[str, Any]) -> None:
    with pytest.raises(SetupError, match="faults are for development"):
        Settings(faults=True, **settings)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1", "http://a:4222", "nats://a:x", "nats://a:70000", "nats://", "nats://a,"]
)
def test_the_broker_has_an_address(url: str) -> None:
    with pytest.raises(SetupError, match="nats_url"):
        Settings(nats_url=url)


def test_an_address_that_cannot_be_is_told_without_its_password() -> None:
    with pytest.raises(SetupError) as caught:
        Settings(nats_url="nats://user:secret@a:x")
    assert "secret" not in str(caught.value)


def test_both_users_have_a_login() -> None:
    login = {"nats_ca": "a", "nats_cert": "b", "nats_key": "c", "nats_credentials": "d", "nats_inbox_prefix": "e"}
    more = {"publish_nats_credentials": "f", "publish_nats_inbox_prefix": "g"}
    settings = Settings(**login, **more, publish_nats_url="nats://a:1")  # type: ignore[arg-type]  # all are text
    assert settings.login == ("a", "b", "c", "d", "e")
    assert settings.publish_login == ("a", "b", "c", "f", "g")


@pytest.mark.parametrize("name", ["publish_nats_credentials", "publish_nats_inbox_prefix"])
def test_a_login_of_a_user_that_is_not_there_is_a_mistake(name: str) -> None:
    with pytest.raises(SetupError, match="TAILRACE_PUBLISH_NATS_URL, which is not set"):
        Settings(**{name: "x"})  # type: ignore[arg-type]  # it is text


def test_the_name_tells_host_and_process() -> None:
    assert re.fullmatch(r".+-\d+", Settings().name)


def test_the_engine_gets_its_part() -> None:
    settings = Settings(tail_bytes=1, heartbeat=2, cursor_interval=3, slow_after=4)
    limits = settings.limits
    assert (limits.tail_bytes, limits.heartbeat, limits.cursor_interval, limits.slow_after) == (1, 2, 3, 4)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "edge.example"])
def test_other_addresses_need_keys_or_an_explicit_wish(host: str) -> None:
    assert Settings(host=host, insecure=True).host == host
    assert Settings(host=host, auth="jwt", jwt_secret=SecretStr("s")).host == host


def test_keys_and_auth_go_together() -> None:
    with pytest.raises(SetupError, match="needs keys"):
        Settings(auth="jwt")
    with pytest.raises(SetupError, match="auth is none"):
        Settings(jwt_secret=SecretStr("s"))


def test_secrets_are_not_shown() -> None:
    settings = Settings(auth="jwt", jwt_secret=SecretStr("hidden"), ticket_secret=SecretStr("hidden"))

    assert "hidden" not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    "origin",
    ["https://app.example", "http://localhost:9000", "http://[::1]:9000", "capacitor://localhost", "null", "*"],
)
def test_origins_as_browsers_send_them(origin: str) -> None:
    assert Settings(cors_origins=("https://other.example", origin)).cors_origins[1] == origin


@pytest.mark.parametrize(
    "origin",
    ["app.example", "localhost:9000", "https://app.example/", "https://app.example/page", "https://App.example"],
)
def test_origins_that_no_browser_sends(origin: str) -> None:
    with pytest.raises(SetupError, match=f"cors_origins has '{origin}', which no browser sends"):
        Settings(cors_origins=(origin,))


def test_settings_that_are_misspelled_are_found() -> None:
    given = ["TAILRACE_PORT", "TAILRACE_TOKEN", "TAILRACE_URL", "TAILRACE_TENANT", "PORT", "TAILRACE_MAX_CONECTIONS"]

    assert find_unknown([*given, "TAILRACE_EDGE_PORT_80_TCP"]) == [
        "TAILRACE_EDGE_PORT_80_TCP is no setting, and changes nothing",
        "TAILRACE_MAX_CONECTIONS is no setting, and changes nothing; is it TAILRACE_MAX_CONNECTIONS?",
    ]


def test_proxies_are_networks() -> None:
    with pytest.raises(SetupError, match=r"10\.0\.0\.0/8"):
        Settings(trusted_proxies=("10.0.0.0/99",))
