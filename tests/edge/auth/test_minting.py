"""Tokens that `mint_token` makes."""

import time

import jwt
import pytest
from edge.auth.samples import (
    AUDIENCE,
    ISSUER,
    SECRET,
)
from edge.auth.verifiers import make_verifier
from tailrace_edge.auth.principal import Principal
from tailrace_edge.auth.rights import Rights
from tailrace_edge.auth.tokens import mint_token
from tailrace_protocol.errors import InvalidPattern, InvalidTenant, SetupError


class TestMinting:
    async def test_a_minted_token_is_good(self) -> None:
        rights = Rights(subscribe=("users.7.>",), delete=("a",))
        token = mint_token(SECRET, "acme", rights, name="7", ttl=60, issuer=ISSUER, audience=AUDIENCE)
        principal = await make_verifier(leeway=0).verify(token)

        assert principal == Principal("7", {"acme": rights}, principal.expires)
        assert 0 < (principal.expires or 0) - time.time() <= 60

    async def test_what_is_not_said_is_not_in_it(self) -> None:
        token = mint_token(SECRET, "acme", Rights())

        assert jwt.decode(token, options={"verify_signature": False}).keys() == {"iat", "exp", "tenant"}

    @pytest.mark.parametrize(
        ("secret", "tenant", "pattern", "error"),
        [
            ("short", "acme", "a", SetupError),
            (SECRET, "No", "a", InvalidTenant),
            (SECRET, "acme", "a..b", InvalidPattern),
        ],
    )
    def test_what_cannot_be_is_not_minted(self, secret: str, tenant: str, pattern: str, error: type[Exception]) -> None:
        with pytest.raises(error):
            mint_token(secret, tenant, Rights(subscribe=(pattern,)))
