import base64
import json
import time
from collections.abc import Iterable
from typing import Any

import jwt
import pytest
from edge.auth.samples import SECRET, Clock
from tailrace_edge.auth.errors import Forbidden, Reason, Unauthenticated
from tailrace_edge.auth.keys import make_secret_key
from tailrace_edge.auth.principal import Principal
from tailrace_edge.auth.rights import Rights
from tailrace_edge.auth.tickets import Tickets
from tailrace_edge.auth.tokens import Verifier, mint_token
from tailrace_protocol.errors import SetupError

PATTERNS = ("users.ann.>", "announcements.>")


def make_principal(expires: float | None = None) -> Principal:
    return Principal(
        "ann", {"acme": Rights(subscribe=(">",), publish=(">",), delete=(">",)), "globex": Rights()}, expires
    )


def mint(tickets: Tickets, expires: float | None = None) -> str:
    return tickets.mint(make_principal(expires), "acme", PATTERNS, "now")


def read(ticket: str, part: int = 1) -> dict[str, Any]:
    text = ticket.split(".")[part]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def test_a_ticket_lets_its_owner_subscribe_to_its_patterns_and_no_more() -> None:
    expires = time.time() + 600

    assert Tickets(SECRET).check(mint(Tickets(SECRET), expires), "acme", PATTERNS, "now") == Principal(
        "ann", {"acme": Rights(subscribe=PATTERNS)}, expires
    )


def test_a_ticket_for_a_token_that_never_expires() -> None:
    assert Tickets(SECRET).check(mint(Tickets(SECRET)), "acme", PATTERNS, "now").expires is None


def test_the_order_of_the_patterns_makes_no_difference() -> None:
    assert Tickets(SECRET).check(mint(Tickets(SECRET)), "acme", reversed(PATTERNS), "now").name == "ann"


@pytest.mark.parametrize(
    ("tenant", "patterns", "start"),
    [
        ("globex", PATTERNS, "now"),
        ("acme", PATTERNS[:1], "now"),
        ("acme", (*PATTERNS, "users.bob.>"), "now"),
        ("acme", (">",), "now"),
        ("acme", (), "now"),
        ("acme", ("users.ann.>,announcements.>",), "now"),
        ("acme", PATTERNS, "start"),
        ("acme", PATTERNS, ""),
    ],
)
def test_a_ticket_is_for_one_stream(tenant: str, patterns: Iterable[str], start: str) -> None:
    with pytest.raises(Forbidden, match="for another stream"):
        Tickets(SECRET).check(mint(Tickets(SECRET)), tenant, patterns, start)


def test_a_ticket_is_good_for_its_time() -> None:
    def mint_ago(seconds: float) -> str:
        return mint(Tickets(SECRET, ttl=3600, clock=Clock(time.time() - seconds)))

    Tickets(SECRET).check(mint_ago(0), "acme", PATTERNS, "now")
    with pytest.raises(Unauthenticated, match="has expired") as caught:
        Tickets(SECRET).check(mint_ago(3602), "acme", PATTERNS, "now")
    assert caught.value.reason is Reason.EXPIRED


def test_a_ticket_is_good_for_half_a_minute_by_default() -> None:
    assert read(mint(Tickets(SECRET, clock=Clock(1000))))["exp"] == 1030


def test_a_ticket_does_not_outlive_the_token() -> None:
    assert read(mint(Tickets(SECRET, clock=Clock(1000)), expires=1010))["exp"] == 1010


def test_a_ticket_holds_no_topic() -> None:
    assert read(mint(Tickets(SECRET))).keys() == {"sub", "stream", "until", "aud", "exp"}
    assert "users" not in str(read(mint(Tickets(SECRET))))


def test_edges_with_another_secret_refuse_it() -> None:
    with pytest.raises(Unauthenticated) as caught:
        Tickets("x" * 32).check(mint(Tickets(SECRET)), "acme", PATTERNS, "now")
    assert caught.value.reason is Reason.BAD_SIGNATURE


async def test_a_ticket_is_no_token_even_with_the_same_secret() -> None:
    for verifier in (Verifier([make_secret_key(SECRET)]), Verifier([make_secret_key(SECRET)], audience="*")):
        with pytest.raises(Unauthenticated, match="another kind") as caught:
            await verifier.verify(mint(Tickets(SECRET)))
        assert caught.value.reason is Reason.MALFORMED


async def test_the_parts_that_keep_tickets_from_being_tokens_do_so_each_alone() -> None:
    tickets, verifier = Tickets(SECRET), Verifier([make_secret_key(SECRET)])
    claims = read(mint(tickets))

    with pytest.raises(Unauthenticated) as key:
        await verifier.verify(jwt.encode(claims, tickets._key))
    with pytest.raises(Unauthenticated) as audience:
        await verifier.verify(jwt.encode(claims, SECRET))
    assert (key.value.reason, audience.value.reason) == (Reason.BAD_SIGNATURE, Reason.WRONG_AUDIENCE)


def test_a_token_is_no_ticket_even_with_the_same_secret() -> None:
    token = mint_token(SECRET, "acme", Rights(subscribe=PATTERNS), name="ann", audience="urn:tailrace:ticket")

    with pytest.raises(Unauthenticated):
        Tickets(SECRET).check(token, "acme", PATTERNS, "now")


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({}, {"typ": "JWT"}),
        ({}, {"typ": None}),
        ({"aud": "tailrace"}, {}),
        ({"aud": None}, {}),
        ({"exp": None}, {}),
        ({"sub": None}, {}),
        ({"stream": 7}, {}),
    ],
)
def test_what_is_signed_as_a_ticket_but_is_none_is_refused(changes: dict[str, Any], headers: dict[str, Any]) -> None:
    tickets = Tickets(SECRET)
    claims = {name: value for name, value in (read(mint(tickets)) | changes).items() if value is not None}
    ticket = jwt.encode(claims, tickets._key, headers={"typ": "tailrace-ticket+jwt"} | headers)

    with pytest.raises(Unauthenticated) as caught:
        tickets.check(ticket, "acme", PATTERNS, "now")
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("ticket", ["", "x", "a.b.c", "ü" * 10, "\ud800", "x" * 9000, "e30.e30."])
def test_anything_else_is_refused(ticket: str) -> None:
    with pytest.raises(Unauthenticated, match="not a ticket") as caught:
        Tickets(SECRET).check(ticket, "acme", PATTERNS, "now")
    assert caught.value.reason is Reason.MALFORMED


def test_a_ticket_without_a_signature_is_refused() -> None:
    unsigned = jwt.encode(read(mint(Tickets(SECRET))), "", algorithm="none", headers={"typ": "tailrace-ticket+jwt"})

    with pytest.raises(Unauthenticated):
        Tickets(SECRET).check(unsigned, "acme", PATTERNS, "now")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(SetupError, match="TAILRACE_TICKET_SECRET has 5 bytes"):
        Tickets("short")
