import asyncio
import json
from typing import Any

import pytest
from edge.auth.samples import ALGORITHMS, ISSUER, Clock, Publisher, make_jwk, make_private
from support.resets import accepting, busy_loop, reset
from support.waiting import wait_until
from tailrace_edge.auth.errors import KeysUnavailable
from tailrace_edge.auth.jwks import InvalidKeySet, KeySet, KeySource, parse_key_set, parse_source
from tailrace_protocol.errors import SetupError

RSA = make_private("RSA")
OTHER = make_private("RSA", 1)
ONE = make_jwk(RSA, "one")
TWO = make_jwk(OTHER, "two")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_set(publisher: Publisher, clock: Clock, **options: Any) -> KeySet:
    return KeySet(KeySource(publisher.url), clock=clock, **{"max_age": 100.0, "min_interval": 30.0} | options)


async def find_names(key_set: KeySet, kid: str | None) -> list[str | None]:
    return [key.kid for key in await key_set.find(kid)]


@pytest.mark.parametrize(("algorithm", "kind"), ALGORITHMS.items())
def test_a_published_key_allows_the_algorithms_of_its_kind(algorithm: str, kind: str) -> None:
    [key] = parse_key_set(json.dumps({"keys": [make_jwk(make_private(kind), "k")]}).encode(), frozenset({ISSUER}))
    [pinned] = parse_key_set(json.dumps({"keys": [make_jwk(make_private(kind), alg=algorithm)]}).encode())

    assert algorithm in key.algorithms
    assert (key.kid, key.issuers) == ("k", frozenset({ISSUER}))
    assert (pinned.algorithms, pinned.kid) == ((algorithm,), None)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k"},
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256"},
        ONE | {"d": ONE["n"]},
        ONE | {"use": "enc"},
        ONE | {"key_ops": ["encrypt"]},
        ONE | {"key_ops": "verify"},
        ONE | {"alg": "RSA-OAEP"},
        ONE | {"alg": "HS256"},
        ONE | {"alg": "none"},
        ONE | {"alg": "ES256"},
        ONE | {"kid": 7},
        ONE | {"n": "!"},
        ONE | {"n": 7},
        ONE | {"n": "AQAB"},
        {"kty": "RSA"},
        {"kty": "LMS"},
        {"kty": ["RSA"]},
        make_jwk(make_private("secp256k1")),
        make_jwk(make_private("P-256"), crv="P-384"),
        make_jwk(make_private("Ed25519"), crv="X25519"),
        "no object",
        None,
    ],
)
def test_what_signatures_are_not_verified_with_is_left_out(jwk: Any) -> None:
    [key] = parse_key_set(json.dumps({"keys": [jwk, TWO]}).encode())

    assert key.kid == "two"


@pytest.mark.parametrize("ops", [["verify"], ["sign", "verify"]])
def test_keys_for_signatures_are_kept(ops: list[str]) -> None:
    assert len(parse_key_set(json.dumps({"keys": [ONE | {"key_ops": ops, "use": "sig"}]}).encode())) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": ' + b"[" * 50_000])
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidKeySet):
        parse_key_set(body)


def test_a_set_with_too_many_keys_is_refused() -> None:
    with pytest.raises(InvalidKeySet, match="101 keys, 100 are allowed"):
        parse_key_set(json.dumps({"keys": [{}] * 101}).encode())


@pytest.mark.parametrize(
    ("text", "issuers"),
    [
        ("https://a.example/keys?x=1", []),
        ("http://127.0.0.1:8/keys", []),
        ("http://[::1]/keys", []),
        ("http://localhost/keys", []),
        ("https://a.example/keys iss=https://a.example", ["https://a.example"]),
        ("https://a.example/keys  iss=a iss=b", ["a", "b"]),
    ],
)
def test_sources(text: str, issuers: list[str]) -> None:
    assert parse_source(text) == KeySource(text.split(maxsplit=1)[0], frozenset(issuers))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://a.example/keys", "over https"),
        ("http://10.0.0.1/keys", "over https"),
        ("http://localhost.example/keys", "over https"),
        ("ftp://a.example/keys", "not a URL"),
        ("https://", "not a URL"),
        ("https://a:x/keys", "not a URL"),
        ("keys", "not a URL"),
        ("https://ann:hidden@a.example/keys", "user or password"),
        ("https://a.example/keys https://hidden.example", "iss=ISSUER"),
        ("https://a.example/keys iss=", "iss=ISSUER"),
    ],
)
def test_what_is_no_source_is_refused(text: str, said: str) -> None:
    with pytest.raises(SetupError, match=said) as caught:
        parse_source(text)
    assert "hidden" not in str(caught.value)


async def test_a_set_is_asked_for_once_and_kept(clock: Clock) -> None:
    async with Publisher(ONE, TWO) as publisher:
        key_set = make_set(publisher, clock)

        assert await find_names(key_set, "one") == ["one"]
        assert await find_names(key_set, "two") == ["two"]
        assert await find_names(key_set, None) == ["one", "two"]
        clock.now += 99
        assert await find_names(key_set, "one") == ["one"]
        assert publisher.requests == 1
        await key_set.close()


async def test_a_set_is_asked_for_anew_when_it_is_old(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        [one] = await key_set.find("one")
        publisher.publish(TWO)
        clock.now += 100
        await key_set.freshen()

        assert publisher.requests == 2
        assert not key_set.holds(one)
        assert await find_names(key_set, "one") == []
        assert await find_names(key_set, "two") == ["two"]
        await key_set.close()


async def test_a_key_that_is_still_published_is_held_though_the_document_changed(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        [one] = await key_set.find("one")
        publisher.publish(TWO, ONE)
        clock.now += 100
        await key_set.freshen()

        assert await find_names(key_set, "two") == ["two"]
        assert key_set.holds(one)
        await key_set.close()


async def test_an_unknown_name_has_the_set_asked_for_anew(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        await key_set.find("one")
        publisher.publish(ONE, TWO)
        clock.now += 30

        assert await find_names(key_set, "two") == ["two"]
        assert publisher.requests == 2
        await key_set.close()


async def test_a_flood_of_unknown_names_asks_once_in_an_interval(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        await key_set.find("one")
        for interval in (1, 2, 3):
            for number in range(200):
                assert await key_set.find(f"{interval}-{number}") == []
            assert publisher.requests == interval
            clock.now += 30
        await key_set.close()


async def test_all_that_wait_share_one_request(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        publisher.open.clear()
        async with asyncio.TaskGroup() as group:
            known = [group.create_task(find_names(key_set, "one")) for _ in range(50)]
            unknown = [group.create_task(find_names(key_set, "two")) for _ in range(50)]
            await publisher.asked.wait()
            publisher.open.set()

        assert {tuple(task.result()) for task in known} == {("one",)}
        assert {tuple(task.result()) for task in unknown} == {()}
        assert publisher.requests == 1
        await key_set.close()


async def test_a_request_that_takes_long_is_shared_too(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        publisher.open.clear()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(find_names(key_set, "one"))
            await publisher.asked.wait()
            clock.now += 1000
            second = group.create_task(find_names(key_set, "one"))
            await asyncio.sleep(0)  # it gets as far as to wait
            publisher.open.set()

        assert (first.result(), second.result()) == (["one"], ["one"])
        assert publisher.requests == 1
        await key_set.close()


@pytest.mark.parametrize("known", [False, True])
async def test_one_that_gives_up_does_not_end_the_request_of_the_others(clock: Clock, known: bool) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        if known:
            await key_set.find("one")
            clock.now += 30
        publisher.publish(ONE, TWO)
        publisher.asked.clear()
        publisher.open.clear()
        first = asyncio.create_task(key_set.find("two"))
        second = asyncio.create_task(find_names(key_set, "two"))
        await publisher.asked.wait()
        first.cancel()
        await asyncio.wait([first])
        publisher.open.set()

        assert first.cancelled()
        assert await second == ["two"]
        assert publisher.requests == 1 + known
        await key_set.close()


async def test_the_keys_of_an_issuer_that_is_away_are_kept(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        await key_set.find("one")
        publisher.head = "HTTP/1.1 503 Away"
        clock.now += 100_000

        assert await find_names(key_set, "one") == ["one"]
        assert publisher.requests == 2
        # Now that it is known to be away, nobody waits for it.
        clock.now += 30
        publisher.open.clear()
        assert await find_names(key_set, "one") == ["one"]
        publisher.head = "HTTP/1.1 200 OK"
        publisher.publish(TWO)
        publisher.open.set()
        await wait_until(lambda: publisher.requests == 3 and key_set._request is None)
        assert await find_names(key_set, "one") == []
        await key_set.close()


async def test_an_issuer_whose_load_balancer_resets_connections_is_away(clock: Clock) -> None:
    """Under uvloop such a connection has lost its socket before httpcore looks at it."""
    with accepting(reset) as port:
        async with busy_loop():
            for _ in range(20):
                key_set = KeySet(KeySource(f"http://127.0.0.1:{port}/keys"), clock=clock)
                with pytest.raises(KeysUnavailable):
                    await key_set.find("one")
                await key_set.close()


async def test_an_unknown_name_at_an_issuer_that_is_away_may_be_good_later(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        await key_set.find("one")
        publisher.head = "HTTP/1.1 503 Away"
        clock.now += 30

        with pytest.raises(KeysUnavailable, match=r"127\.0\.0\.1 .* try again"):
            await key_set.find("two")
        await key_set.close()


async def test_an_issuer_that_was_away_at_the_start_is_asked_soon_again(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        publisher.head = "HTTP/1.1 503 Away"
        for _ in range(10):
            with pytest.raises(KeysUnavailable):
                await key_set.find("one")
        assert publisher.requests == 1
        publisher.head = "HTTP/1.1 200 OK"
        clock.now += 5

        assert await find_names(key_set, "one") == ["one"]
        await key_set.close()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("HTTP/1.1 302 Found\r\nlocation: {url}", None),
        ("HTTP/1.1 404 Not Found", None),
        ("HTTP/1.1 200 OK", b"<html>"),
        ("HTTP/1.1 200 OK", b'{"keys": []}' + b" " * (256 << 10)),
        ("no HTTP", None),
    ],
)
async def test_an_answer_that_is_no_key_set_changes_nothing(clock: Clock, head: str, body: bytes | None) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        await key_set.find("one")
        publisher.head = head.format(url=publisher.url)
        publisher.body = publisher.body if body is None else body
        clock.now += 100
        await key_set.freshen()

        assert publisher.requests == 2
        assert await find_names(key_set, "one") == ["one"]
        await key_set.close()


async def test_an_issuer_that_does_not_answer_is_given_up(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock, timeout=0.05)
        publisher.open.clear()

        with pytest.raises(KeysUnavailable):
            await key_set.find("one")
        await key_set.close()


async def test_an_issuer_that_answers_too_slowly_is_given_up(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        # Each byte comes soon after the one before.
        publisher.pause = 0.02
        key_set = make_set(publisher, clock, timeout=0.5)

        with pytest.raises(KeysUnavailable):
            await key_set.find("one")
        await key_set.close()


async def test_closing_ends_a_request(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        publisher.open.clear()
        waiting = asyncio.create_task(key_set.find("one"))
        await publisher.asked.wait()
        await key_set.close()
        await asyncio.wait([waiting])

        assert waiting.cancelled()


async def test_a_set_without_keys_is_taken_at_its_word(clock: Clock) -> None:
    async with Publisher(ONE) as publisher:
        key_set = make_set(publisher, clock)
        [one] = await key_set.find("one")
        publisher.publish()
        clock.now += 100
        await key_set.freshen()

        assert not key_set.holds(one)
        await key_set.close()
