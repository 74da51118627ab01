from edge.engine.samples import make_entries
from tailrace_edge.engine.draft import Draft
from tailrace_edge.engine.entry import Format


def test_entries_end_where_everything_was_looked_through() -> None:
    draft = Draft(Format.SSE)
    entries = make_entries("log", "log")

    assert draft.add_entries(entries, 7, 10_000) == 7
    batch = draft.finish()
    assert batch is not None
    assert batch.data == b"".join(entry.frame(Format.SSE) for entry in entries)
    assert batch.cut(0)[1] == 1
    assert batch.cut(len(batch.data) - 1)[1] == 7


def test_entries_end_with_the_one_that_passes_the_limit() -> None:
    draft = Draft(Format.NDJSON)
    entries = make_entries("log", "log", "log")

    assert draft.add_entries(entries, 7, len(entries[0].frame(Format.NDJSON)) + 1) == 2
    batch = draft.finish(last=True)
    assert batch is not None
    assert (batch.frames, batch.last) == (2, True)


def test_last_entry_may_pass_the_limit() -> None:
    assert Draft(Format.SSE).add_entries(make_entries("log"), 7, 1) == 7


def test_no_entries_still_reach() -> None:
    draft = Draft(Format.SSE)

    assert draft.add_entries([], 7, 1) == 7
    assert draft.finish() is None


def test_cursor_of_what_came_before_the_entries_is_its_own() -> None:
    draft = Draft(Format.SSE)
    draft.add(b"preface", 3)
    draft.add_entries([], 7, 1)
    batch = draft.finish()

    assert batch is not None
    assert batch.cut(0) == (b"preface", 3, 0)
