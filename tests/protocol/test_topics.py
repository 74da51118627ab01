import sys
import unicodedata
from collections import defaultdict
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tailrace_protocol.errors import InvalidTenant, InvalidTopic
from tailrace_protocol.topics import (
    MAX_BYTES,
    MAX_TOKENS,
    check_token,
    check_topic,
    format_subject,
    parse_subject,
    quote_token,
    unquote_token,
)

PLAIN_CATEGORIES = {
    *("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No"),
    *("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"),
}
QUOTED_CATEGORIES = {"Cc", "Cf", "Co", "Zs", "Zl", "Zp"}


def sample_categories() -> dict[str, list[str]]:
    """Every 50th character of each category, and its first ones."""
    characters = defaultdict(list)
    for code in range(sys.maxunicode + 1):
        characters[unicodedata.category(chr(code))].append(chr(code))
    return {category: [*members[:60], *members[60::50]] for category, members in characters.items()}


SAMPLES = sample_categories()


def test_every_unicode_category_is_sorted() -> None:
    assert set(SAMPLES) == PLAIN_CATEGORIES | QUOTED_CATEGORIES | {"Cs"}


@pytest.mark.parametrize("category", sorted(PLAIN_CATEGORIES))
def test_characters_that_a_token_holds_as_they_are(category: str) -> None:
    for char in SAMPLES[category]:
        if char not in ".*>%":
            assert quote_token(char) == check_token(char) == unquote_token(char) == char


@pytest.mark.parametrize("category", sorted(QUOTED_CATEGORIES))
def test_characters_that_a_token_holds_quoted(category: str) -> None:
    for char in SAMPLES[category]:
        token = quote_token(char)

        assert token == "".join(f"%{byte:02X}" for byte in char.encode())
        assert check_token(token) == token
        assert unquote_token(token) == char
        with pytest.raises(InvalidTopic, match="use quote_token"):
            check_token(f"a{char}")


def test_lone_surrogates_are_in_no_token() -> None:
    for text in ("\ud800", "a\udfff", "\ud800%20", "%20\udfff"):
        with pytest.raises(InvalidTopic):
            quote_token(text)
        with pytest.raises(InvalidTopic):
            check_token(text)
        with pytest.raises(InvalidTopic):
            unquote_token(text)
        with pytest.raises(InvalidTopic):
            check_topic(f"a.{text}")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Jane Doe.pdf", "Jane%20Doe%2Epdf"),
        ("*", "%2A"),
        (">", "%3E"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("a/b?c#d", "a/b?c#d"),
        ("é日本😀", "é日本😀"),
        ("a\u200db", "a%E2%80%8Db"),
        ("\r\n\0", "%0D%0A%00"),
        ("\u00a0\u2028\ufeff", "%C2%A0%E2%80%A8%EF%BB%BF"),
    ],
)
def test_quotes(text: str, token: str) -> None:
    assert quote_token(text) == token
    assert unquote_token(token) == text


def test_an_empty_token_is_none() -> None:
    for call in (quote_token, unquote_token, check_token):
        with pytest.raises(InvalidTopic):
            call("")


@pytest.mark.parametrize("given", [7, UUID(int=7), b"7"], ids=repr)
def test_what_is_no_text_is_refused_by_its_kind(given: Any) -> None:
    with pytest.raises(InvalidTopic, match=f"is a {type(given).__name__}, and a token is text"):
        quote_token(given)


@given(st.text(min_size=1))
def test_any_text_is_a_token_when_quoted(text: str) -> None:
    token = quote_token(text)

    assert check_token(token) == token
    assert unquote_token(token) == text
    assert not set(token) & set(".*> \t\r\n\0")


TOKENISH = st.text(st.sampled_from(list("%%%%0123456789ABCDEFacf.*> é😀\u00a0\u200d\ud800\n-")))


@given(TOKENISH)
@example("%2e")
@example("%41")
@example("%C0%80")
@example("%ED%A0%80")
@example("%C3")
@example("%")
@example("%2")
def test_a_text_has_one_token_only(token: str) -> None:
    try:
        text = unquote_token(token)
    except InvalidTopic:
        with pytest.raises(InvalidTopic):
            check_token(token)
    else:
        assert quote_token(text) == token
        assert check_token(token) == token


@given(st.lists(TOKENISH | st.sampled_from(["users", "42", "a-b_c"]), max_size=18).map(".".join))
def test_a_topic_is_tokens_within_bounds(topic: str) -> None:
    def is_token(token: str) -> bool:
        try:
            return bool(check_token(token))
        except InvalidTopic:
            return False

    tokens = topic.split(".")
    size = len(topic.encode(errors="surrogatepass"))
    if size <= 200 and len(tokens) <= 16 and all(map(is_token, tokens)):
        assert check_topic(topic) == topic
    else:
        with pytest.raises(InvalidTopic):
            check_topic(topic)


@pytest.mark.parametrize(
    "topic", ["a", "users.42.jobs.7f3a", "a" * MAX_BYTES, "é" * (MAX_BYTES // 2), ".".join("a" * MAX_TOKENS), "%25.a"]
)
def test_takes(topic: str) -> None:
    assert check_topic(topic) is topic


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("", "0 bytes"),
        ("a" * (MAX_BYTES + 1), "201 bytes"),
        ("é" * (MAX_BYTES // 2) + "a", "201 bytes"),
        (".".join("a" * (MAX_TOKENS + 1)), "17 tokens"),
        (".".join("é" * (MAX_TOKENS + 1)), "17 tokens"),
        (".a", "empty token"),
        ("a.", "empty token"),
        ("a..b", "empty token"),
        ("a.*", "use quote_token"),
        ("a.>", "use quote_token"),
        ("a b", "use quote_token"),
        ("a\n", "use quote_token"),
        ("a.%2e", "quote_token"),
        ("a.50%", "quote_token"),
    ],
)
def test_refuses(topic: str, message: str) -> None:
    with pytest.raises(InvalidTopic, match=message):
        check_topic(topic)


def test_subjects() -> None:
    assert format_subject("acme", "users.42") == "events.acme.users.42"
    assert parse_subject("events.acme.users.42") == ("acme", "users.42")


@pytest.mark.parametrize("subject", ["", "events", "events.acme", "events.acme.", "other.acme.a", "events.acme.a..b"])
def test_refuses_subjects_of_others(subject: str) -> None:
    with pytest.raises(InvalidTopic):
        parse_subject(subject)


@pytest.mark.parametrize("subject", ["events..a", "events.ACME.a", "events._x.a"])
def test_refuses_subjects_without_tenant(subject: str) -> None:
    with pytest.raises(InvalidTenant):
        parse_subject(subject)
