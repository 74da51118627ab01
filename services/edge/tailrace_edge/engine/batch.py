"""Batches: frames that go out in one write, and where the cursor stands after each of them."""

from collections.abc import Sequence


class Batch:
    """Frames for one connection, or for all that are at the same place.

    Attributes:
        data: the frames joined.
        last: the stream ends with this batch.
    """

    __slots__ = ("_cursors", "_frames", "data", "last")

    def __init__(self, frames: Sequence[bytes], cursors: Sequence[int], *, last: bool = False) -> None:
        """Make a batch.

        Args:
            frames: one or more.
            cursors: where the subscriber stands once each of them is written.
            last: the stream ends with this batch.
        """
        self.data = frames[0] if len(frames) == 1 else b"".join(frames)
        self.last = last
        self._frames = frames
        self._cursors = cursors

    @property
    def frames(self) -> int:
        """How many frames it holds."""
        return len(self._frames)

    def cut(self, written: int) -> tuple[bytes, int, int]:
        """Return what completes the frame that a short write ended in, so that nothing more need be kept.

        Args:
            written: bytes that were taken, fewer than `len(data)`.

        Returns:
            The rest of that frame, the cursor after it, and how many frames are left after it.
        """
        end = 0
        for index, frame in enumerate(self._frames):
            end += len(frame)
            if end > written:
                return self.data[written:end], self._cursors[index], len(self._frames) - 1 - index
        raise ValueError(f"{written} bytes are the whole batch of {len(self.data)}")
