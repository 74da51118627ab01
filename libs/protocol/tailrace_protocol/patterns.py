"""Patterns: topics with the NATS wildcards `*` (exactly one token) and `>` (one token or more, last only)."""

from tailrace_protocol.errors import InvalidPattern, InvalidTopic
from tailrace_protocol.topics import check_token, split_topic


def check_pattern(pattern: str) -> str:
    """Return `pattern` as it is.

    Raises:
        InvalidPattern: it is neither a topic nor one in which whole tokens are wildcards, `>` the last of them.
    """
    try:
        tokens = split_topic(pattern)
        for index, token in enumerate(tokens):
            if token == ">":
                if index != len(tokens) - 1:
                    raise InvalidPattern(f"the pattern {pattern!r} has a '>' before its end")
            elif token != "*":
                check_token(token)
    except InvalidTopic as error:
        raise InvalidPattern(f"{pattern!r} is not a pattern: {error}") from None
    return pattern


def is_wildcard(pattern: str) -> bool:
    """Return whether `pattern` may match more than one topic."""
    return "*" in pattern or ">" in pattern


def match_pattern(pattern: str, topic: str) -> bool:
    """Return whether `topic` lies inside `pattern`, as NATS matches subjects."""
    return contains_pattern(pattern, topic)


def contains_pattern(outer: str, inner: str) -> bool:
    """Return whether every topic that `inner` matches is matched by `outer` too."""
    if outer in (inner, ">"):
        return True
    outer_tokens = outer.split(".")
    inner_tokens = inner.split(".")
    for index, token in enumerate(outer_tokens):
        if token == ">":
            return len(inner_tokens) > index
        if index == len(inner_tokens) or inner_tokens[index] == ">":
            return False
        if token not in ("*", inner_tokens[index]):
            return False
    return len(outer_tokens) == len(inner_tokens)


def cover_patterns(patterns: list[str]) -> list[str]:
    """Return those of `patterns` that no other of them contains, each once, in their order."""
    unique = list(dict.fromkeys(patterns))
    return [inner for inner in unique if not any(outer != inner and contains_pattern(outer, inner) for outer in unique)]
