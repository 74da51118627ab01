"""The bench: what every scenario needs to run its cases."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.contenders import Contender, Place
from bench.errors import BenchError
from bench.machine import Cores
from bench.publishing import Publisher
from bench.rows import Row
from bench.watchers import Watchers

C = TypeVar("C", bound=Contender)


class Bench(NamedTuple):
    """One run of the bench.

    Attributes:
        cores: who gets which.
        folder: for everything that the run leaves behind.
        short: sizes are tiny: it is tried whether all works, nothing is measured.
        contenders: those that can be had here.
    """

    cores: Cores
    folder: Path
    short: bool
    contenders: tuple[Contender, ...]

    def size(self, full: int, short: int) -> int:
        """Return one of two sizes."""
        return short if self.short else full

    def seconds(self, full: float, short: float) -> float:
        """Return one of two durations."""
        return short if self.short else full

    def choose(self, *kinds: type[C]) -> list[C]:
        """Return those of the contenders that are of the kinds, in the order of the kinds.

        The short form takes only the first two: one scenario with all of them is enough to see whether they work.
        """
        return self.choose_all(*kinds[: self.size(len(kinds), 2)])

    def choose_all(self, *kinds: type[C]) -> list[C]:
        """Return those of the contenders that are of the kinds, also in the short form."""
        return [contender for kind in kinds for contender in self.contenders if isinstance(contender, kind)]

    def place(self, *names: str) -> Place:
        """Return where something runs, with a folder named so."""
        return Place(self.cores, self.folder / re.sub(r"[^a-z0-9]+", "-", "-".join(names).lower()).strip("-"))

    def publish_to(self, contender: Contender, place: Place) -> Publisher:
        """Return a publisher for a contender that runs."""
        return Publisher(contender.describe_sink(), cores=self.cores.publisher, folder=place.folder)

    def watch(
        self,
        contender: Contender,
        place: Place,
        count: int,
        *,
        topic: str = "bench.0",
        request: str = "",
        name: str = "loadgen",
        columns: Sequence[Sequence[object]] = (),
        options: Sequence[object] = (),
    ) -> Watchers:
        """Return watchers of a contender that runs; see `Watchers`."""
        return Watchers(
            contender.targets,
            request or contender.make_request(topic),
            count,
            cores=self.cores.loadgen,
            folder=place.folder,
            name=name,
            columns=columns,
            options=options,
        )

    def try_each(
        self, scenario: str, case: str, contenders: Sequence[C], measure: Callable[[C, Place], Row]
    ) -> Iterator[Row]:
        """Yield a row for each contender; one that fails is a row that says why."""
        for contender in contenders:
            place = self.place(scenario, case, contender.name)
            try:
                yield measure(contender, place)
            except (BenchError, OSError) as error:
                yield Row(scenario, case, contender.name, error=str(error) or repr(error))
