"""Rows: what one contender did in one case of a scenario."""

from typing import Any

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One line of a table.

    Attributes:
        scenario: its name, as `ONLY=` takes it.
        case: which of the scenario's sizes.
        contender: its name.
        figures: by name; units are in the names: `_us`, `_ms`, `_s`, `_bytes`, `_per_s`, `_share` (of one core).
        notes: what a reader has to know.
        error: why it could not be measured; empty if it was.
        watchers: what loadgen wrote, by the name of its process.
    """

    scenario: str
    case: str
    contender: str
    figures: dict[str, float] = {}
    notes: tuple[str, ...] = ()
    error: str = ""
    watchers: dict[str, dict[str, Any]] = {}
