"""Close reasons: every ending of a stream has a name, which is also the metric's label and the log's field."""

from enum import StrEnum


class CloseReason(StrEnum):
    """Why a stream ended."""

    DRAIN = "drain"
    """The edge stops in an orderly way; another one serves on."""
    MAX_AGE = "max_age"
    """The connection has reached its maximum age, so that new edges get their share."""
    SLOW = "slow"
    """The client made no headway for too long."""
    FINISHED = "finished"
    """`until=terminal` was asked for, and the last watched job has ended. The answer to coming back is 204."""
    TOKEN_EXPIRED = "token_expired"
    """The token expired."""
    GONE = "gone"
    """The client closed the connection, or the network did."""

    @property
    def returns(self) -> bool:
        """Whether the client should come back by itself."""
        return self is not CloseReason.FINISHED
