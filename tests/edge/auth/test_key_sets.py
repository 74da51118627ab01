"""Tokens that are verified with the keys of a set, which may rotate, be slow, or be away."""

from typing import Any

import pytest
from edge.auth.samples import (
    AUDIENCE,
    ISSUER,
    SECRET,
    Clock,
    Publisher,
    make_jwk,
    make_private,
    sign,
)
from edge.auth.verifiers import OTHER, RSA, refuse
from tailrace_edge.auth.errors import KeysUnavailable, Reason
from tailrace_edge.auth.jwks import KeySet, KeySource
from tailrace_edge.auth.keys import make_public_key, make_secret_key
from tailrace_edge.auth.tokens import Verifier
from tailrace_protocol.errors import SetupError


class TestKeySets:
    async def test_the_named_key_verifies(self) -> None:
        async with Publisher(make_jwk(OTHER, "two"), make_jwk(RSA, "one")) as publisher:
            verifier = self.make(publisher)

            assert (await verifier.verify(sign(RSA, "RS256", "one"))).name == "ann"
            assert (await verifier.verify(sign(RSA, "PS512", None, sub="no kid"))).name == "no kid"
            assert await refuse(verifier, sign(RSA, "RS256", "two")) is Reason.BAD_SIGNATURE
            assert publisher.requests == 1
            await verifier.close()

    async def test_the_algorithm_is_the_one_of_the_key(self) -> None:
        async with Publisher(make_jwk(RSA, "one", alg="PS256"), make_jwk(make_private("P-256"), "two")) as publisher:
            verifier = self.make(publisher)

            assert await verifier.verify(sign(RSA, "PS256", "one"))
            assert await refuse(verifier, sign(RSA, "RS256", "one")) is Reason.ALGORITHM
            assert await refuse(verifier, sign(RSA, "RS256", "two")) is Reason.ALGORITHM
            assert publisher.requests == 1
            await verifier.close()

    async def test_an_unknown_key_is_asked_for_with_a_limit(self) -> None:
        async with Publisher(make_jwk(RSA, "one")) as publisher:
            clock = Clock()
            verifier = self.make(publisher, clock=clock)
            for number in range(100):
                assert await refuse(verifier, sign(OTHER, "RS256", f"two-{number}")) is Reason.UNKNOWN_KEY
            assert publisher.requests == 1

            publisher.publish(make_jwk(OTHER, "two"))
            clock.now += 30
            assert await verifier.verify(sign(OTHER, "RS256", "two"))
            assert publisher.requests == 2
            await verifier.close()

    async def test_tokens_of_a_key_that_was_rotated_away_are_forgotten(self) -> None:
        async with Publisher(make_jwk(RSA, "one"), make_jwk(OTHER, "two")) as publisher:
            clock = Clock()
            verifier = self.make(publisher, clock=clock)
            gone, kept = sign(RSA, "RS256", "one"), sign(OTHER, "RS256", "two")
            await verifier.verify(gone)
            await verifier.verify(kept)
            publisher.publish(make_jwk(OTHER, "two"))
            assert await verifier.verify(gone)

            clock.now += 3600
            assert await refuse(verifier, gone) is Reason.UNKNOWN_KEY
            assert await verifier.verify(kept)
            assert publisher.requests == 2
            await verifier.close()

    async def test_a_key_that_took_over_the_name_of_another_does_not_take_over_its_tokens(self) -> None:
        async with Publisher(make_jwk(RSA, "one")) as publisher:
            clock = Clock()
            verifier = self.make(publisher, clock=clock)
            token = sign(RSA, "RS256", "one")
            await verifier.verify(token)
            publisher.publish(make_jwk(OTHER, "one"))

            clock.now += 3600
            assert await refuse(verifier, token) is Reason.BAD_SIGNATURE
            await verifier.close()

    async def test_tokens_are_good_while_the_issuer_is_away(self) -> None:
        async with Publisher(make_jwk(RSA, "one")) as publisher:
            clock = Clock()
            verifier = self.make(publisher, clock=clock)
            token = sign(RSA, "RS256", "one")
            await verifier.verify(token)
            publisher.head = "HTTP/1.1 500 Away"
            clock.now += 100_000

            assert await verifier.verify(token)
            assert await verifier.verify(sign(RSA, "RS256", "one", sub="bob"))
            await verifier.close()

    async def test_it_is_not_the_token_s_fault_that_there_are_no_keys(self) -> None:
        async with Publisher() as publisher:
            publisher.head = "HTTP/1.1 500 Away"
            verifier = self.make(publisher)
            await verifier.warm()

            with pytest.raises(KeysUnavailable):
                await verifier.verify(sign(RSA, "RS256", "one"))
            await verifier.close()

    async def test_keys_that_are_here_do_without_the_issuer(self) -> None:
        async with Publisher() as publisher:
            key = make_public_key(RSA.public_key())
            verifier = Verifier([key], ISSUER, AUDIENCE, key_sets=[KeySet(KeySource(publisher.url))])

            assert await verifier.verify(sign(RSA, "RS256", "one"))
            assert publisher.requests == 0
            await verifier.close()

    async def test_no_issuer_is_asked_about_tokens_that_secrets_sign(self) -> None:
        async with Publisher(make_jwk(RSA, "one")) as publisher:
            key_set = KeySet(KeySource(publisher.url))
            verifier = Verifier([make_secret_key(SECRET)], ISSUER, AUDIENCE, key_sets=[key_set])

            assert await verifier.verify(sign(SECRET, "HS256", "one"))
            assert await refuse(verifier, sign("x" * 64, "HS256", "one")) is Reason.BAD_SIGNATURE
            assert publisher.requests == 0
            await verifier.close()

    async def test_no_issuer_is_asked_about_tokens_of_others(self) -> None:
        async with Publisher(make_jwk(RSA, "one")) as publisher:
            verifier = self.make(publisher)

            assert await refuse(verifier, sign(RSA, "RS256", "x", iss="https://evil.example")) is Reason.WRONG_ISSUER
            assert await refuse(verifier, sign(RSA, "RS256", "x", iss=None)) is Reason.WRONG_ISSUER
            assert publisher.requests == 0
            await verifier.close()

    async def test_an_issuer_cannot_sign_as_another(self) -> None:
        async with Publisher(make_jwk(RSA, "k")) as acme, Publisher(make_jwk(OTHER, "k")) as globex:
            sources = [KeySource(acme.url, frozenset({"acme"})), KeySource(globex.url, frozenset({"globex"}))]
            verifier = Verifier(audience=AUDIENCE, key_sets=[KeySet(source) for source in sources])

            assert await verifier.verify(sign(RSA, "RS256", "k", iss="acme"))
            assert await verifier.verify(sign(OTHER, "RS256", "k", iss="globex"))
            assert await refuse(verifier, sign(OTHER, "RS256", "k", iss="acme")) is Reason.BAD_SIGNATURE
            assert await refuse(verifier, sign(RSA, "RS256", "k", iss="globex")) is Reason.BAD_SIGNATURE
            assert await refuse(verifier, sign(RSA, "RS256", "k")) is Reason.WRONG_ISSUER
            await verifier.close()

    async def test_keys_are_asked_for_ahead(self) -> None:
        async with Publisher(make_jwk(RSA, "one")) as publisher:
            verifier = self.make(publisher)
            await verifier.warm()
            await verifier.verify(sign(RSA, "RS256", "one"))

            assert publisher.requests == 1
            await verifier.close()

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "there is no key"),
            ({"sets": [()], "issuers": ISSUER}, "TAILRACE_JWT_AUDIENCE is missing"),
            ({"sets": [()], "audience": AUDIENCE}, "TAILRACE_JWT_ISSUERS is missing"),
            ({"sets": [(), ()], "issuers": ["a", "b"], "audience": "x"}, "each could sign as another"),
            ({"sets": [(), ("c",)], "issuers": ["a", "b"], "audience": "x"}, "each could sign as another"),
        ],
    )
    async def test_a_set_up_that_lets_others_in_is_refused(self, options: dict[str, Any], said: str) -> None:
        sets = [KeySet(KeySource("https://a.example", frozenset(issuers))) for issuers in options.pop("sets", [])]
        with pytest.raises(SetupError, match=said):
            Verifier(key_sets=sets, **options)
        for key_set in sets:
            await key_set.close()

    @staticmethod
    def make(publisher: Publisher, **options: Any) -> Verifier:
        return Verifier((), ISSUER, AUDIENCE, key_sets=[KeySet(KeySource(publisher.url), **options)])
