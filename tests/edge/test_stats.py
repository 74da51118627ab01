"""Stats: how often the other edges are asked for theirs."""

import asyncio

from tailrace_edge.edge import Edge
from tailrace_edge.settings import Settings
from tailrace_edge.stats import EdgeStats, Stats


class AskedStats(Stats):
    """Stats whose round ends when it is told to."""

    def __init__(self) -> None:
        super().__init__(Edge(Settings(name="a")))
        self.rounds = 0
        self.answered = asyncio.Event()

    async def _ask_all(self) -> list[EdgeStats]:
        self.rounds += 1
        await self.answered.wait()
        self.answered.clear()
        return [self.read()]


async def test_who_asks_in_the_middle_of_a_round_gets_its_answers() -> None:
    stats = AskedStats()
    askers = [asyncio.create_task(stats.read_all()) for _ in range(20)]
    gone = asyncio.create_task(stats.read_all())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    stats.answered.set()

    assert [[edge.name for edge in await asker] for asker in askers] == [["a"]] * 20
    assert gone.cancelled()
    assert stats.rounds == 1


async def test_the_next_question_is_asked_anew() -> None:
    stats = AskedStats()
    for number in (1, 2):
        stats.answered.set()
        assert len(await stats.read_all()) == 1
        assert stats.rounds == number
