"""Runs: everything that one run of the bench found, as it is kept in results.json."""

import msgspec

from bench.rows import Row


class Run(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        date: when it ended.
        short: the sizes were tiny; its figures mean nothing.
        machine: what it ran on.
        cores: who had which.
        versions: of the contenders, by title.
        missing: contenders that could not be had, and why.
        titles: of the contenders, by name.
        rows: what was found.
    """

    date: str
    short: bool
    machine: dict[str, str]
    cores: str
    versions: dict[str, str]
    missing: dict[str, str]
    titles: dict[str, str]
    rows: list[Row]
