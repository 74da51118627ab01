"""The promise, under random orders of everything that may happen.

More runs: `pytest tests/simulation --simulation-runs 1000000`. One run again: `--simulation-seed 4711`.
"""

import random
from collections.abc import Callable, Iterable, Iterator

import pytest

from simulation.mutations import MUTATIONS
from simulation.world import World

_CHUNK = 100
_MUTANT_RUNS = 1000
_TRACE = 60


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    state = random.getstate()
    yield
    random.setstate(state)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seed: int | None = metafunc.config.getoption("simulation_seed")
    if "seeds" in metafunc.fixturenames:
        runs = range(metafunc.config.getoption("simulation_runs")) if seed is None else range(seed, seed + 1)
        chunks = [runs[start : start + _CHUNK] for start in range(0, len(runs), _CHUNK)]
        metafunc.parametrize("seeds", chunks, ids=lambda seeds: f"from-{seeds.start}")
    if "mutate" in metafunc.fixturenames:
        metafunc.parametrize("mutate", MUTATIONS if seed is None else [], ids=lambda mutate: mutate.__name__)


def test_promise_is_kept(seeds: range) -> None:
    failure = _find_failure(seeds)

    assert failure is None, failure


def test_broken_engine_is_found(mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)

    assert _find_failure(range(_MUTANT_RUNS)) is not None


def test_run_depends_on_its_seed_alone() -> None:
    assert _trace(11) == _trace(11)
    assert _trace(11) != _trace(12)


def _find_failure(seeds: Iterable[int]) -> str | None:
    for seed in seeds:
        world = World(seed)
        try:
            world.run()
        except Exception as error:
            trace = "\n".join(world.trace[-_TRACE:])
            return f"{trace}\n{type(error).__name__}: {error}\nreplay: pytest tests/simulation --simulation-seed {seed}"
    return None


def _trace(seed: int) -> list[str]:
    world = World(seed)
    world.run()
    return world.trace
