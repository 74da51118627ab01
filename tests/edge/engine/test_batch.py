import pytest
from tailrace_edge.engine.batch import Batch

FRAMES = [b"one", b"four!", b"nine"]


@pytest.mark.parametrize(
    ("written", "rest", "cursor", "left"),
    [
        (0, b"one", 1, 2),
        (2, b"e", 1, 2),
        (3, b"four!", 4, 1),
        (4, b"our!", 4, 1),
        (7, b"!", 4, 1),
        (8, b"nine", 9, 0),
        (11, b"e", 9, 0),
    ],
)
def test_cut_completes_the_frame_that_was_begun(written: int, rest: bytes, cursor: int, left: int) -> None:
    assert Batch(FRAMES, [1, 4, 9]).cut(written) == (rest, cursor, left)


def test_whole_batch_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="12 bytes are the whole batch of 12"):
        Batch(FRAMES, [1, 4, 9]).cut(12)


def test_batch_of_one_frame_copies_nothing() -> None:
    frame = b"frame"
    batch = Batch([frame], [1], last=True)

    assert batch.data is frame
    assert (batch.frames, batch.last) == (1, True)


def test_batch_joins_its_frames() -> None:
    batch = Batch(FRAMES, [1, 4, 9])

    assert batch.data == b"onefour!nine"
    assert (batch.frames, batch.last) == (3, False)
