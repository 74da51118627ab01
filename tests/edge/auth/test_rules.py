from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_edge.auth.rights import Rights
from tailrace_edge.auth.rules import parse_rules
from tailrace_protocol.errors import SetupError
from tailrace_protocol.patterns import check_pattern, contains_pattern, match_pattern
from tailrace_protocol.topics import quote_token

ENTRA = """
# Who signs in with Entra ID.
tenant = {tid}
subscribe = users.{oid}.>, announcements.>
publish [roles=Importer] = imports.>
subscribe [scp=Events.Read] = orders.*.state
delete [roles=Admin, scp=Events.Delete] = >
"""
CLAIMS = {"tid": "72f988bf-86f1-41af-91ab-2d7cd011db47", "oid": "ann"}


def apply(text: str, **claims: Any) -> dict[str, Rights]:
    return parse_rules(text).apply(claims)


def subscribe(value: str, **claims: Any) -> tuple[str, ...]:
    return apply(f"tenant = t\nsubscribe = {value}", **claims)["t"].subscribe


def test_claims_become_a_tenant_and_rights() -> None:
    claims = CLAIMS | {"roles": ["Reader", "Importer"], "scp": "openid Events.Read"}

    assert apply(ENTRA, **claims) == {
        CLAIMS["tid"]: Rights(subscribe=("users.ann.>", "announcements.>", "orders.*.state"), publish=("imports.>",))
    }


def test_all_conditions_have_to_hold() -> None:
    def delete(**claims: Any) -> tuple[str, ...]:
        return apply(ENTRA, **CLAIMS, **claims)[CLAIMS["tid"]].delete

    assert delete(roles=["Admin"], scp="Events.Delete") == (">",)
    assert delete(roles=["Admin"]) == delete(scp="Events.Delete") == delete() == ()


@pytest.mark.parametrize(
    ("condition", "claims", "holds"),
    [
        ("roles=A", {"roles": ["B", "A"]}, True),
        ("roles=A", {"roles": "A"}, True),
        ("roles=A", {"roles": "A B"}, False),
        ("roles=A", {"roles": ["AB", "a"]}, False),
        ("roles=A", {"roles": [["A"]]}, False),
        ("roles=A", {"roles": {"A": 1}}, False),
        ("roles=A", {"roles": None}, False),
        ("roles=A", {"role": "A"}, False),
        ("roles=A", {}, False),
        ("scp=A", {"scp": "B A"}, True),
        ("scope=A", {"scope": "B A"}, True),
        ("scp=A", {"scp": ["B", "A"]}, True),
        ("scp=A", {"scp": "A.B AB"}, False),
        ("email_verified=true", {"email_verified": True}, True),
        ("email_verified=true", {"email_verified": False}, False),
        ("level=1", {"level": 1}, True),
        ("level=1", {"level": True}, False),
        ("iss=https://a.example/v2.0?x=y", {"iss": "https://a.example/v2.0?x=y"}, True),
        ("https://acme.example/role=A", {"https://acme.example/role": "A"}, True),
        ("department=Event Readers", {"department": "Event Readers"}, True),
        ("department=Readers", {"department": "Event Readers"}, False),
    ],
)
def test_conditions(condition: str, claims: dict[str, Any], holds: bool) -> None:
    assert apply(f"tenant [{condition}] = t", **claims) == ({"t": Rights()} if holds else {})


def test_several_tenants() -> None:
    text = "tenant [tid=1] = acme\ntenant [tid=2] = globex\ntenant [roles=Support] = acme, globex\nsubscribe = a.>"
    rights = Rights(subscribe=("a.>",))

    assert apply(text, tid="1") == {"acme": rights}
    assert apply(text, tid="3", roles=["Support"]) == {"acme": rights, "globex": rights}
    assert apply(text, tid="3") == {}


@pytest.mark.parametrize("claim", ["", "No", "a.b", "a/b", "-a", "a" * 64, None, ["a"], {"a": 1}, 1.5])
def test_a_claim_that_is_no_tenant_opens_none(claim: Any) -> None:
    assert apply("tenant = {tid}", tid=claim) == {}


def test_a_tenant_may_be_made_of_several_parts() -> None:
    assert apply("tenant = org-{org}-x", org=7) == {"org-7-x": Rights()}


@pytest.mark.parametrize(
    ("sub", "token"),
    [
        ("ann", "ann"),
        (">", "%3E"),
        ("*", "%2A"),
        ("a.b.>", "a%2Eb%2E%3E"),
        ("a b\n", "a%20b%0A"),
        ("a,b", "a,b"),
        ("%3E", "%253E"),
        (42, "42"),
    ],
)
def test_claims_are_quoted_in_patterns(sub: Any, token: str) -> None:
    assert subscribe("users.{sub}.>", sub=sub) == (f"users.{token}.>",)
    assert subscribe("users.u-{ sub }-x", sub=sub) == (f"users.u-{token}-x",)


@pytest.mark.parametrize("claims", [{}, {"sub": ""}, {"sub": None}, {"sub": ["a"]}, {"sub": 1.5}, {"sub": "\ud800"}])
def test_a_rule_whose_claim_is_missing_grants_nothing(claims: dict[str, Any]) -> None:
    assert subscribe("users.{sub}.>, users.{sub}, public", **claims) == ("public",)


def test_a_pattern_that_becomes_too_long_is_not_granted() -> None:
    assert subscribe("users.{sub}.>, public", sub="x" * 200) == ("public",)


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=10))
def test_no_claim_widens_a_pattern(sub: str, other: str) -> None:
    for pattern in subscribe("users.{sub}.{sub}x.>", sub=sub):
        assert contains_pattern("users.*.*.>", check_pattern(pattern))
        assert not contains_pattern(pattern, "users.*.*.>")
        try:
            others = f"users.{quote_token(other)}.{quote_token(other + 'x')}.jobs"
        except ValueError:
            continue
        assert match_pattern(pattern, others) is (other == sub)


def test_patterns_within_others_are_left_out() -> None:
    assert subscribe("a.b, a.>, a.c\nsubscribe = a.>") == ("a.>",)


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        ("read = a", 1, "begins with tenant, subscribe, publish, delete"),
        ("  = a", 3, "begins with tenant"),
        ("subscribe", 10, "here stands"),
        ("subscribe a", 11, "here stands"),
        ("subscribe [roles=A a = b", 11, "never closed"),
        ("subscribe [roles=A] b", 21, "here stands"),
        ("subscribe [roles] = a", 12, "is no condition"),
        ("subscribe [=A] = a", 12, "is no condition"),
        ("subscribe [roles=] = a", 12, "is no condition"),
        ("subscribe [roles=A, ] = a", 20, "missing"),
        ("subscribe [] = a", 12, "missing"),
        ("subscribe =", 12, "missing"),
        ("subscribe = a,, b", 15, "missing"),
        ("subscribe = a, b.>.c", 16, "'>' before its end"),
        ("subscribe = a..b", 13, "empty token"),
        ("subscribe = a b", 13, "use quote_token"),
        ("subscribe = a.*{sub}", 13, "use quote_token"),
        ("subscribe = a, users.{}.>", 16, "brace"),
        ("subscribe = users.{ }.>", 13, "brace"),
        ("subscribe = users.{sub.>", 13, "brace"),
        ("subscribe = users.sub}.>", 13, "brace"),
        ("subscribe = a.{x}-{y}", 13, "two claims without a dot"),
        ("tenant = {x}{y}", 10, "two claims without a dot"),
        ("tenant = {x}.{y}", 10, "is not a tenant"),
        ("tenant = {tid}.x", 10, "is not a tenant"),
        ("tenant = Acme", 10, "is not a tenant"),
        ("tenant = *", 10, "is not a tenant"),
    ],
)
def test_a_mistake_is_told_with_line_and_column(line: str, column: int, said: str) -> None:
    with pytest.raises(SetupError, match=said) as caught:
        parse_rules(f"# rules\n\ntenant = t\n{line}\nsubscribe = a")
    assert f"the rules, line 4, column {column}: " in str(caught.value)


@pytest.mark.parametrize("text", ["", "# none", "subscribe = a"])
def test_rules_that_open_no_tenant_are_a_mistake(text: str) -> None:
    with pytest.raises(SetupError, match="open no tenant"):
        parse_rules(text)
