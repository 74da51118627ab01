import pytest
import typer
from tailrace_cli.options import parse_max_age, parse_max_bytes


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("15m", 900), ("24h", 86400), ("7d", 604800), ("1.5h", 5400)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_max_age(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "24 h", "-1h", "h", "0s", "1w"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="24h"):
        parse_max_age(text)


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("1000000", 1000000), ("2K", 2048), ("512M", 512 << 20), ("10GiB", 10 << 30)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_max_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5G", "10 G", "G", "1X"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="10G"):
        parse_max_bytes(text)
