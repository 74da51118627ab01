"""An event loop whose time the machine has no say in: instead of waiting, it turns its clock."""

import asyncio
import selectors


class _Turned(selectors.DefaultSelector):
    """Finds what is ready at once. Where nothing is, the time passes for which it was to be waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class TurnedLoop(asyncio.SelectorEventLoop):
    """For tests whose peers live on the same loop: what happens when is as exact as in a simulation.

    `anyio_backend` of a module takes it: `"asyncio", {"loop_factory": TurnedLoop}`.
    """

    def __init__(self) -> None:
        self._turned = _Turned()
        super().__init__(self._turned)

    def time(self) -> float:
        return self._turned.now
