import pytest
from tailrace_protocol.errors import InvalidTenant
from tailrace_protocol.tenants import DEFAULT_TENANT, check_tenant


@pytest.mark.parametrize("tenant", ["a", "0", "acme", "a-b_c9", "x" * 63, DEFAULT_TENANT])
def test_takes(tenant: str) -> None:
    assert check_tenant(tenant) is tenant


@pytest.mark.parametrize(
    "tenant", ["", "A", "-a", "_a", "a.b", "a b", "a\n", "x" * 64, "é", "a\u0660", "*", ">", "\ud800"]
)
def test_refuses(tenant: str) -> None:
    with pytest.raises(InvalidTenant, match="is not a tenant"):
        check_tenant(tenant)


def test_shortens_what_it_shows() -> None:
    with pytest.raises(InvalidTenant) as caught:
        check_tenant("A" * 1_000_000)
    assert len(str(caught.value)) < 300
