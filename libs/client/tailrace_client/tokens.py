"""Tokens: who the client says it is, and when it asks for a new one. No I/O: a shell calls what is to be called."""

import inspect
from collections.abc import Awaitable, Callable
from enum import StrEnum

from tailrace_protocol.errors import InvalidInput


class TokenReason(StrEnum):
    """Why a token is asked for."""

    FIRST = "first"
    """There is none yet."""
    CHALLENGE = "challenge"
    """The one in use expires soon. The stream reconnects with the new one."""
    UNAUTHORIZED = "unauthorized"
    """An edge has refused the one in use, or ended a stream because it expired."""


Token = str | Callable[..., str | Awaitable[str]]
"""A token, or what returns one. If it has a parameter `reason`, it is told the `TokenReason`."""


class Credential:
    """The token that a client's requests carry, shared by all its streams.

    Attributes:
        token: in use; None before the first, or if there is to be none.
    """

    def __init__(self, source: Token | None) -> None:
        """Keep a token, or whom to ask for it.

        Raises:
            InvalidInput: the token cannot stand in a header, or the callable wants arguments that nobody has.
        """
        self.token = _check_token(source) if isinstance(source, str) else None
        self._source = source if callable(source) else None
        self._takes_reason = self._source is not None and _takes_reason(self._source)

    def __repr__(self) -> str:
        return f"Credential(renewable={self.renewable})"

    @property
    def renewable(self) -> bool:
        """Whether there is somebody to ask for another one."""
        return self._source is not None

    @property
    def missing(self) -> TokenReason | None:
        """`FIRST` if nothing can be sent before a token was asked for."""
        return TokenReason.FIRST if self.renewable and self.token is None else None

    def ask(self, reason: TokenReason) -> str | Awaitable[str]:
        """Call the callable, and return what it returns: a token, or an awaitable of one. Then `keep` it.

        Raises:
            InvalidInput: there is nobody to ask.
        """
        if self._source is None:
            raise InvalidInput("the token is fixed; a callable could be asked for another one")
        return self._source(reason=reason) if self._takes_reason else self._source()

    def keep(self, token: str) -> None:
        """Use this token from now on.

        Raises:
            InvalidInput: it cannot stand in a header.
        """
        self.token = _check_token(token)


def _takes_reason(source: Callable[..., object]) -> bool:
    parameters = inspect.signature(source).parameters
    wanted = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name != "reason"
    ]
    if wanted:
        raise InvalidInput(f"the token's callable wants {', '.join(wanted)}; it may have one parameter, named reason")
    return "reason" in parameters


def _check_token(token: object) -> str:
    # What it is stays out of the message, for it may be a token all the same.
    if not isinstance(token, str):
        raise InvalidInput(f"a token is a text, this is of type {type(token).__name__}")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("the token has to be printable ASCII without spaces")
    return token
