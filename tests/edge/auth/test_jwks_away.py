"""Issuers that answer with what httpx has no error of its own for, or cannot be asked at all."""

import pytest
from edge.auth.samples import Clock, Publisher, make_jwk, make_private
from tailrace_edge.auth.errors import KeysUnavailable
from tailrace_edge.auth.jwks import KeySet, KeySource
from tailrace_protocol.errors import SetupError

ONE = make_jwk(make_private("RSA"), "one")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_set(publisher: Publisher, clock: Clock) -> KeySet:
    return KeySet(KeySource(publisher.url), clock=clock, max_age=100.0, min_interval=30.0)


@pytest.mark.parametrize("place", ["mailto:keys", "http://xn--/", "http://[", "http://127.0.0.1:99999/", "ftp://x/"])
async def test_an_issuer_that_sends_elsewhere_is_away(clock: Clock, place: str) -> None:
    """Redirects are not followed, but httpx reads where they lead, and has no error of its own for some of that."""
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        assert [key.kid for key in await key_set.find("one")] == ["one"]
        publisher.head = f"HTTP/1.1 302 Found\r\nlocation: {place}"
        clock.now += 100
        assert [key.kid for key in await key_set.find("one")] == ["one"]
        with pytest.raises(KeysUnavailable):
            await key_set.find("two")
        await key_set.close()


async def test_an_issuer_of_bytes_that_are_no_text_is_away(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        publisher.body = b'{"keys": [{"kty": "RSA", "kid": "\xff"}]}'
        with pytest.raises(KeysUnavailable):
            await key_set.find("one")
        await key_set.close()


async def test_an_issuer_that_can_be_none_is_away(clock: Clock) -> None:
    for url in ("http://localhost:99999/keys", "http://issuer..example/keys"):
        key_set = KeySet(KeySource(url), clock=clock)
        with pytest.raises(KeysUnavailable):
            await key_set.find("one")
        await key_set.close()


@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:9"), ("NO_PROXY", "fe80::/10,[::1]")])
def test_an_environment_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=name):
        KeySet(KeySource("https://issuer.example/keys"))
