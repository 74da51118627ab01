"""Refusals: what a request without the right to what it asks for is told. No message holds a token."""

from enum import StrEnum

from tailrace_protocol.errors import TailraceError


class Reason(StrEnum):
    """Why a request is of nobody: a slug for programs and metrics."""

    MISSING = "missing"
    """No token came with it."""
    MALFORMED = "malformed"
    """What came is no token, or has a claim that cannot be."""
    ALGORITHM = "algorithm"
    """It is signed in a way that no key allows."""
    UNKNOWN_KEY = "unknown-key"
    """It names a key that its issuer does not publish."""
    BAD_SIGNATURE = "bad-signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_ISSUER = "wrong-issuer"
    WRONG_AUDIENCE = "wrong-audience"


class Unauthenticated(TailraceError):
    """Nobody is known to ask: 401. Another token may help.

    Attributes:
        reason: the slug.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Forbidden(TailraceError):
    """It is known who asks, and they may not: 403. Another token of theirs does not help."""


class KeysUnavailable(TailraceError):
    """The issuer's keys cannot be had at the moment: 503. The same token may be good later."""
