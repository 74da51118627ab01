"""What every test of the producer has."""

import pytest
from support.broker import PATIENCE
from tailrace_producer import Settings


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving a producer gives up on what is not stored when the test does, however busy the machine is."""
    defaults = Settings.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "close_timeout", PATIENCE)
