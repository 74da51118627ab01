"""`tailrace edge`: every setting is an option."""

import re
import signal

import pytest
from cli.command import Run, Start, wait_ready
from pydantic import SecretStr
from support.broker import PATIENCE, Broker, pick_ports
from tailrace_cli.commands.edge import name_option, read_settings
from tailrace_edge.settings import Settings, name_variable
from tailrace_protocol.errors import SetupError

SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
FIELDS = [name for name in Settings.model_fields if name not in SECRETS]


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_is_an_option_with_its_description(run: Run, field: str) -> None:
    shown = re.sub(r"[\s│]+", " ", run("edge", "--help", COLUMNS="200").stdout)

    assert f" {name_option(field)}" in shown
    assert str(Settings.model_fields[field].description) in shown
    assert name_variable(field) in shown


def test_secrets_are_no_options(run: Run) -> None:
    shown = run("edge", "--help", COLUMNS="200").stdout

    assert SECRETS == ["jwt_secret", "ticket_secret"]
    for field in SECRETS:
        assert name_option(field) not in shown
        assert name_variable(field) in shown


def test_options_come_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_PORT", "1111")
    monkeypatch.setenv("TAILRACE_RETRY", "7")
    monkeypatch.setenv("TAILRACE_CORS_ORIGINS", "http://a, http://b")

    settings = read_settings({"port": "2222", "retry": None, "reuse_port": True})

    assert (settings.port, settings.retry, settings.reuse_port) == (2222, 7, True)
    assert settings.cors_origins == ("http://a", "http://b")
    assert read_settings({"cors_origins": "http://c"}).cors_origins == ("http://c",)


@pytest.mark.parametrize("way", ["option", "variable"])
@pytest.mark.parametrize(
    ("field", "text"),
    [("port", "99999"), ("port", "http"), ("heartbeat", "0"), ("log_format", "xml"), ("max_patterns", "-1")],
)
def test_a_setting_that_cannot_be_is_named(run: Run, way: str, field: str, text: str) -> None:
    if way == "option":
        done = run("edge", f"{name_option(field)}={text}", COLUMNS="200")
    else:
        done = run("edge", COLUMNS="200", **{name_variable(field): text})

    assert done.returncode == 2
    assert name_option(field) in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_do_not_go_together_are_an_error() -> None:
    with pytest.raises(SetupError, match="loopback"):
        read_settings({"host": "0.0.0.0"})


def test_a_port_in_use_is_told(run: Run, bare_broker: Broker) -> None:
    done = run("edge", "--port", str(bare_broker.port))

    assert done.returncode == 1
    assert "--reuse-port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_edge_that_is_told_to_stop_exits_0(start: Start, broker: Broker, number: signal.Signals) -> None:
    [port] = pick_ports(1)
    edge = start("edge", "--port", str(port), "--nats-url", broker.url, "--drain-window", "0")
    wait_ready(port)

    edge.send_signal(number)

    assert edge.wait(PATIENCE) == 0
