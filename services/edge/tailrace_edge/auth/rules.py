"""Rules: what claims of other issuers' tokens open, said in the settings, one rule a line.

tenant = {tid}
subscribe = users.{oid}.>, announcements.>
publish [roles=Importer] = imports.>

A rule applies where all its conditions hold. `{claim}` is the claim's text, quoted as one token of a topic or a part of
one, so that no claim can hold a dot or a wildcard. A rule with a claim that the token lacks grants nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tailrace_protocol.errors import InvalidInput, InvalidPattern, InvalidTenant, SetupError
from tailrace_protocol.patterns import check_pattern, cover_patterns
from tailrace_protocol.tenants import check_tenant
from tailrace_protocol.topics import quote_token

from tailrace_edge.auth.rights import Rights

_TENANT = "tenant"
_TARGETS = (_TENANT, *Rights._fields)
_HEAD = re.compile(r"\s*(\w+)[ \t]*")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_WORDS = frozenset({"scp", "scope"})
"""Claims whose text is a list of words (RFC 8693 4.2)."""


class _Condition(NamedTuple):
    claim: str
    value: str

    def holds(self, claims: Mapping[str, Any]) -> bool:
        found = claims.get(self.claim)
        if isinstance(found, str) and self.claim in _WORDS:
            return self.value in found.split(" ")
        return self.value in [_read_text(item) for item in (found if isinstance(found, list) else [found])]


class _Template(NamedTuple):
    """A text with claims in it: literal, claim, literal, ..., literal."""

    parts: tuple[str, ...]

    def fill(self, claims: Mapping[str, Any], quote: Callable[[str], str]) -> str | None:
        """Return the text, None if a claim is missing or has no text."""
        filled = []
        for index, part in enumerate(self.parts):
            text = part if index % 2 == 0 else _read_text(claims.get(part))
            if text is None:
                return None
            filled.append(text if index % 2 == 0 else quote(text))
        return "".join(filled)


class _Rule(NamedTuple):
    target: str
    conditions: tuple[_Condition, ...]
    values: tuple[_Template, ...]


class Rules:
    """What the claims of tokens open."""

    def __init__(self, rules: list[_Rule]) -> None:
        """Hold what `parse_rules` made."""
        self._rules = rules

    def apply(self, claims: Mapping[str, Any]) -> dict[str, Rights]:
        """Return the rights in each tenant that the claims of a verified token open."""
        tenants = self._grant(_TENANT, claims, _fill_tenant)
        rights = Rights(
            *(tuple(cover_patterns(self._grant(target, claims, _fill_pattern))) for target in Rights._fields)
        )
        return dict.fromkeys(tenants, rights)

    def _grant(
        self, target: str, claims: Mapping[str, Any], fill: Callable[[_Template, Mapping[str, Any]], str | None]
    ) -> list[str]:
        values = (
            fill(value, claims)
            for rule in self._rules
            if rule.target == target and all(condition.holds(claims) for condition in rule.conditions)
            for value in rule.values
        )
        return [value for value in values if value is not None]


def _fill_tenant(template: _Template, claims: Mapping[str, Any]) -> str | None:
    try:
        tenant = template.fill(claims, str)
        return None if tenant is None else check_tenant(tenant)
    except InvalidTenant:
        return None


def _fill_pattern(template: _Template, claims: Mapping[str, Any]) -> str | None:
    try:
        pattern = template.fill(claims, quote_token)
        return None if pattern is None else check_pattern(pattern)
    except InvalidInput:
        # Quoting refuses an empty claim; what it makes may be too long for a topic.
        return None


def _read_text(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if abs(value) < 1 << 64:
            return str(value)
        case _:
            return None


def parse_rules(text: str) -> Rules:
    """Return the rules that a text has, one a line; empty lines and those that begin with `#` are left out.

    Raises:
        SetupError: a line is no rule, with the line and the column in it; or no rule opens a tenant.
    """
    rules = [
        _Line(number, line).parse()
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not any(rule.target == _TENANT for rule in rules):
        raise SetupError("the rules open no tenant: add a line like tenant = {tid}, or tenant = acme")
    return Rules(rules)


class _Line(NamedTuple):
    number: int
    text: str

    def parse(self) -> _Rule:
        head = _HEAD.match(self.text)
        if head is None or head[1] not in _TARGETS:
            raise self._fail(len(self.text) - len(self.text.lstrip()), f"a rule begins with {', '.join(_TARGETS)}")
        at = head.end()
        conditions: tuple[_Condition, ...] = ()
        if self.text[at : at + 1] == "[":
            end = self.text.find("]", at)
            if end < 0:
                raise self._fail(at, "this [ is never closed")
            conditions = tuple(self._parse_condition(*item) for item in self._split(at + 1, end))
            at = end + 1
        at += len(self.text[at:]) - len(self.text[at:].lstrip())
        if self.text[at : at + 1] != "=":
            raise self._fail(at, "here stands [claim=value] or =, then what the rule grants")
        values = tuple(self._parse_value(head[1], *item) for item in self._split(at + 1, len(self.text)))
        return _Rule(head[1], conditions, values)

    def _split(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield what stands between commas, without the space around it, and where."""
        for item in self.text[start:end].split(","):
            stripped = item.strip()
            column = start + len(item) - len(item.lstrip()) if stripped else start
            if not stripped:
                raise self._fail(column, "something is missing here")
            yield column, stripped
            start += len(item) + 1

    def _parse_condition(self, column: int, text: str) -> _Condition:
        claim, equals, value = (part.strip() for part in text.partition("="))
        if not (claim and equals and value):
            raise self._fail(column, f"{text!r} is no condition like roles=Importer")
        return _Condition(claim, value)

    def _parse_value(self, target: str, column: int, text: str) -> _Template:
        parts = tuple(part.strip() if index % 2 else part for index, part in enumerate(_PLACEHOLDER.split(text)))
        if any("{" in part or "}" in part for part in parts[::2]) or not all(parts[1::2]):
            raise self._fail(column, f"{text!r} has a brace that is no claim like {{sub}}")
        if any("." not in part for part in parts[2:-1:2]):
            # {a}-{b} is x-y-z for x and y-z as for x-y and z.
            raise self._fail(column, f"{text!r} has two claims without a dot between, which could be taken for others")
        template = _Template(parts)
        try:
            sample = template.fill(dict.fromkeys(parts[1::2], "x"), str) or ""
            check_tenant(sample) if target == _TENANT else check_pattern(sample)
        except (InvalidTenant, InvalidPattern) as error:
            raise self._fail(column, str(error)) from None
        return template

    def _fail(self, index: int, reason: str) -> SetupError:
        return SetupError(f"the rules, line {self.number}, column {index + 1}: {reason}")
