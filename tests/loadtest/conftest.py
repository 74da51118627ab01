"""The programs of the load test, built once for each worker."""

from pathlib import Path

import pytest
from support.loadgen import LoadgenFactory, build_program


@pytest.fixture(scope="session")
def loadgen_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("loadgen", tmp_path_factory.mktemp("loadgen"))


@pytest.fixture(scope="session")
def limit_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("limit", tmp_path_factory.mktemp("limit"))


@pytest.fixture
def loadgen(loadgen_program: Path, tmp_path: Path) -> LoadgenFactory:
    return LoadgenFactory(loadgen_program, tmp_path)
