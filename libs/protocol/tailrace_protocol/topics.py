"""Topics: what producers publish to and clients watch, inside a tenant.

A topic is `.`-separated tokens, `users.42.jobs.7f3a`: at most 16 tokens, at most 200 bytes of UTF-8. A token holds
any character but `. * > %`, separators (Unicode category Z), and control, format, private and surrogate ones (Cc, Cf,
Co, Cs); `quote_token` percent-encodes the others. Characters that Unicode has not assigned yet count as plain, so that
programs that know different versions of Unicode agree.
"""

import re
import unicodedata

from tailrace_protocol.errors import InvalidTopic
from tailrace_protocol.tenants import check_tenant

MAX_TOKENS = 16
MAX_BYTES = 200
SUBJECT_PREFIX = "events."
"""Of every NATS subject that carries events: `events.<tenant>.<topic>`."""

_PLAIN = r"[A-Za-z0-9_~!@#$&+,:;=/-]+"
_PLAIN_TOKEN = re.compile(_PLAIN)
_PLAIN_TOPIC = re.compile(rf"{_PLAIN}(?:\.{_PLAIN}){{0,{MAX_TOKENS - 1}}}")
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")
_RESERVED = frozenset(".*>%")
_QUOTED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"})


def quote_token(text: str) -> str:
    """Return `text`, whatever it holds, as one token of a topic.

    `quote_token("Jane Doe.pdf")` is `Jane%20Doe%2Epdf`; `unquote_token` turns it back.

    Raises:
        InvalidTopic: `text` is none, is empty, or holds a lone surrogate, which UTF-8 cannot carry.
    """
    if not isinstance(text, str):
        raise InvalidTopic(f"{text!r} is a {type(text).__name__}, and a token is text: pass str(...)")
    if not text:
        raise InvalidTopic("a token is at least one character")
    if _PLAIN_TOKEN.fullmatch(text):
        return text
    return "".join(char if _is_plain(char) else _escape(char) for char in text)


def unquote_token(token: str) -> str:
    """Return the text that `quote_token` made `token` from.

    Raises:
        InvalidTopic: `quote_token` makes no such token.
    """
    if "%" not in token:
        return check_token(token)
    try:
        text = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), token.encode()).decode()
    except UnicodeError:
        raise InvalidTopic(f"the token {token!r} is not UTF-8, with its escapes resolved") from None
    if quote_token(text) != token:
        raise InvalidTopic(f"the token {token!r} is not what quote_token makes; use quote_token on the plain text")
    return text


def check_token(token: str) -> str:
    """Return `token` as it is.

    Raises:
        InvalidTopic: it is empty or holds a character that has to be quoted.
    """
    if _PLAIN_TOKEN.fullmatch(token):
        return token
    if not token:
        raise InvalidTopic("a topic has an empty token: no dot first, last, or after another dot")
    if "%" in token:
        unquote_token(token)
        return token
    for char in token:
        if not _is_plain(char):
            raise InvalidTopic(f"the token {token!r} holds {char!r}, which a topic cannot: use quote_token")
    return token


def check_topic(topic: str) -> str:
    """Return `topic` as it is.

    Raises:
        InvalidTopic: it is empty, too long, has too many tokens, or a token that cannot be one.
    """
    if len(topic) <= MAX_BYTES and _PLAIN_TOPIC.fullmatch(topic):
        return topic
    for token in split_topic(topic):
        check_token(token)
    return topic


def split_topic(topic: str) -> list[str]:
    """Return the tokens of a topic or pattern, of which the number and the bytes are checked, the characters not.

    Raises:
        InvalidTopic: it is empty, too long, or has too many tokens.
    """
    size = len(topic.encode(errors="surrogatepass"))
    if not 0 < size <= MAX_BYTES:
        raise InvalidTopic(f"the topic has {size} bytes, 1 to {MAX_BYTES} are allowed")
    tokens = topic.split(".")
    if len(tokens) > MAX_TOKENS:
        raise InvalidTopic(f"the topic has {len(tokens)} tokens, {MAX_TOKENS} are allowed")
    return tokens


def format_subject(tenant: str, topic: str) -> str:
    """Return the NATS subject of a tenant's topic or pattern, both of which are checked already."""
    return f"{SUBJECT_PREFIX}{tenant}.{topic}"


def parse_subject(subject: str) -> tuple[str, str]:
    """Return tenant and topic of a NATS subject.

    Raises:
        InvalidTopic: the subject is none that Tailrace writes to.
        InvalidTenant: its second token is no tenant.
    """
    if not subject.startswith(SUBJECT_PREFIX):
        raise InvalidTopic(f"the subject {subject!r} does not start with {SUBJECT_PREFIX!r}")
    tenant, _, topic = subject.removeprefix(SUBJECT_PREFIX).partition(".")
    return check_tenant(tenant), check_topic(topic)


def _is_plain(char: str) -> bool:
    return char not in _RESERVED and unicodedata.category(char) not in _QUOTED_CATEGORIES


def _escape(char: str) -> str:
    try:
        return "".join(f"%{byte:02X}" for byte in char.encode())
    except UnicodeEncodeError:
        raise InvalidTopic(f"a token cannot hold the lone surrogate {char!r}") from None
