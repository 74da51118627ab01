"""Texts that grow while somebody watches: what a language model writes, token by token.

A text has a topic of its own. It begins with an event of type `start`, grows by `token` events, and ends with
`complete`, `failed` or `cancelled`, each of which carries the whole text where that fits into an event. From time to
time a `token` event with offset 0 carries the text so far and takes the place of all events before it (a roll-up), so
that who comes late reads few events.
"""

from typing import Any

import msgspec

from tailrace_protocol.jobs import JobError


class Token(msgspec.Struct, frozen=True):
    """Data of a `token` event.

    Attributes:
        offset: where `text` begins, in Unicode code points from the beginning of the whole text. What a reader has
            beyond it is replaced; 0 replaces everything.
        text: to be put there.
    """

    offset: int
    text: str


class TextEnd(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of the event that ends a text.

    Attributes:
        length: of the whole text, in Unicode code points.
        text: the whole text; None if it is too long for one event, and then the `token` events have it.
        finish_reason: why the model stopped, in its own words: `stop`, `length`, ...
        usage: what the model counted, in its own words.
        error: why the text failed.
    """

    length: int
    text: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: JobError | None = None
