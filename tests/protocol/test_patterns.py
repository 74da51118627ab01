import itertools
import re

import pytest
from support.broker import Broker, connect
from tailrace_protocol.errors import InvalidPattern
from tailrace_protocol.patterns import (
    check_pattern,
    contains_pattern,
    cover_patterns,
    is_wildcard,
    match_pattern,
)

TOPICS = [".".join(tokens) for length in range(1, 6) for tokens in itertools.product("abc", repeat=length)]
HEADS = [".".join(tokens) for length in range(1, 4) for tokens in itertools.product("ab*", repeat=length)]
PATTERNS = [">", *HEADS, *(f"{head}.>" for head in HEADS)]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The same by other means: a regular expression over whole tokens."""
    parts = {"*": r"[^.]+", ">": r"[^.]+(?:\.[^.]+)*"}
    return re.compile(r"\.".join(parts.get(token, re.escape(token)) for token in pattern.split(".")))


MATCHES = {
    pattern: frozenset(topic for topic in TOPICS if compile_pattern(pattern).fullmatch(topic)) for pattern in PATTERNS
}


def test_matches_as_regular_expressions_do() -> None:
    for pattern in PATTERNS:
        assert {topic for topic in TOPICS if match_pattern(pattern, topic)} == MATCHES[pattern], pattern


def test_contains_exactly_the_patterns_whose_topics_it_matches() -> None:
    for outer, inner in itertools.product(PATTERNS, repeat=2):
        assert contains_pattern(outer, inner) is (MATCHES[inner] <= MATCHES[outer]), (outer, inner)


async def test_matches_as_nats_does(bare_broker: Broker) -> None:
    topics = [topic for topic in TOPICS if topic.count(".") < 4]
    async with await connect(bare_broker.url) as client:
        subscriptions = {pattern: await client.subscribe(f"events.acme.{pattern}") for pattern in PATTERNS}
        last = await client.subscribe("last")
        for topic in topics:
            await client.publish(f"events.acme.{topic}", topic.encode())
        await client.publish("last")
        await last.next_msg(timeout=30)  # one connection delivers in order: the others have theirs already

        for pattern, subscription in subscriptions.items():
            received = [(await subscription.next_msg()).data.decode() for _ in range(subscription.pending_msgs)]
            assert received == [topic for topic in topics if match_pattern(pattern, topic)], pattern


def test_covers_every_topic_with_as_few_patterns_as_contain_the_others() -> None:
    for patterns in itertools.combinations(PATTERNS[::3], 3):
        covering = cover_patterns(list(patterns))

        assert frozenset().union(*(MATCHES[pattern] for pattern in covering)) == frozenset().union(
            *(MATCHES[pattern] for pattern in patterns)
        )
        assert not any(contains_pattern(a, b) for a, b in itertools.permutations(covering, 2))


def test_covers_in_order_and_without_doubles() -> None:
    assert cover_patterns(["b", "a.*", "b", "a.x", "c.>", "a.*", "c.d.>"]) == ["b", "a.*", "c.>"]
    assert cover_patterns([]) == []


def test_wildcards() -> None:
    assert is_wildcard("a.*")
    assert is_wildcard(">")
    assert not is_wildcard("a.b")


@pytest.mark.parametrize("pattern", ["a", ">", "*", "a.*.b", "*.*", "a.>", "*.>", "a%2Eb.>", "é.*", ".".join("*" * 16)])
def test_takes(pattern: str) -> None:
    assert check_pattern(pattern) is pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "0 bytes"),
        ("a.>.b", "before its end"),
        (">.>", "before its end"),
        ("a*", "use quote_token"),
        ("a.b>", "use quote_token"),
        ("**", "use quote_token"),
        ("a..b", "empty token"),
        (".*", "empty token"),
        ("a.", "empty token"),
        (".".join("*" * 17), "17 tokens"),
        ("a" * 201, "201 bytes"),
        ("a. ", "use quote_token"),
        ("\ud800.>", "not a pattern"),
        ("%zz.>", "not a pattern"),
    ],
)
def test_refuses(pattern: str, message: str) -> None:
    with pytest.raises(InvalidPattern, match=message):
        check_pattern(pattern)
