"""What the client's tests may use."""

import pytest
from support.shells import Shell


@pytest.fixture(params=["async", "sync"])
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Both clients, one after the other."""
    return Shell(request.param, monkeypatch)
