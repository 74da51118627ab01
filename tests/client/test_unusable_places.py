"""Addresses that can be none: in what a user passes, in the environment, and in what answers."""

import pytest
from support.scripted_edge import LOG, TIME, ScriptedEdge, format_id, send, serve_log, write_answer
from support.shells import Shell
from tailrace_client import Client, LinkState, SyncClient
from tailrace_protocol.errors import InvalidInput, MalformedStream, SetupError

URLS = [
    "http://localhost:80800",
    "http://localhost:0",
    "http://localhost:port",
    "http://[::1",
    "http://edge..example",
    f"http://{'x' * 64}.example",
    "http://xn--/",
    "http://edge\0",
]

PLACES = [
    "http://127.0.0.1:99999/",
    "http://localhost:99999/",
    "http://edge..example/",
    f"http://{'x' * 64}.example/",
    "http://xn--/",
    "mailto:edge",
    "http://[",
    "ftp://edge/",
]
"""To which something between here and the edge may redirect."""

ENVIRONMENTS = [
    {"HTTP_PROXY": "socks5://127.0.0.1:9"},
    {"ALL_PROXY": "socks://127.0.0.1:9"},
    {"HTTP_PROXY": "http://[::1"},
    {"NO_PROXY": "fe80::/10,[::1]"},
    {"SSL_CERT_FILE": "missing.pem"},
]


@pytest.mark.parametrize("url", URLS)
def test_url_that_cannot_be_one_is_told_at_once(url: str) -> None:
    for kind in (Client, SyncClient):
        with pytest.raises(InvalidInput, match="is not the URL of an edge"):
            kind(url, tenant="acme")


@pytest.mark.parametrize("url", ["http://[::1]:8080", "https://edge.example.", "http://ünï.example/below"])
def test_unusual_urls_can_be_one(url: str) -> None:
    for kind in (Client, SyncClient):
        kind(url, tenant="acme")


@pytest.mark.parametrize("place", PLACES)
def test_redirect_to_nowhere_is_a_lost_connection(shell: Shell, place: str) -> None:
    with ScriptedEdge([send(write_answer(302, location=place)), serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states == [LinkState.OFFLINE, LinkState.LIVE, LinkState.ENDED]


@pytest.mark.parametrize("place", PLACES)
def test_redirect_to_nowhere_does_not_end_a_call(shell: Shell, place: str) -> None:
    answer = {"topic": "a.b", "type": "message", "time": TIME, "id": format_id(1), "data": 1}
    with ScriptedEdge([send(write_answer(302, location=place)), send(write_answer(200, answer))]) as edge:
        assert shell.ask([edge.url, edge.url], lambda client: client.topic("a.b")).data == 1


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: " ".join(environment.values()))
def test_environment_that_cannot_be_used_is_told(
    shell: Shell, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match="HTTP_PROXY"):
        shell.ask("http://edge.example", lambda client: client.topic("a.b"), verify=True)
    with pytest.raises(SetupError, match="HTTP_PROXY"):
        shell.ask("http://edge.example", lambda client: client.text("a.b"), verify=True)


@pytest.mark.parametrize("data", ["1e999", "9" * 5000, "[" * 3000 + "]" * 3000])
def test_data_that_is_too_much_for_python_does_not_end_a_stream(shell: Shell, data: str) -> None:
    """Any writer to the broker can store it, and it would come again at each attempt."""
    line = f'{{"topic":"a.b","type":"message","time":"{TIME}","data":{data}}}'
    event = f"event: message\nid: {format_id(1)}\ndata: {line}\n\n".encode()
    with ScriptedEdge([serve_log([event, *LOG[1:]])]) as edge:
        assert shell.watch(edge.url).data[1:] == ["ünï 2", "ünï 3"]


def test_answer_that_is_too_much_for_python_is_told(shell: Shell) -> None:
    line = f'{{"topic":"a.b","type":"message","time":"{TIME}","id":"{format_id(1)}","data":{"[" * 3000}{"]" * 3000}}}'
    with ScriptedEdge([send(write_answer(200, line.encode()))]) as edge, pytest.raises(MalformedStream):
        shell.ask(edge.url, lambda client: client.topic("a.b"))
