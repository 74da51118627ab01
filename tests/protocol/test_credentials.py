import base64

import pytest
from tailrace_protocol.credentials import format_public_key, parse_credentials
from tailrace_protocol.errors import SetupError

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
"""From the documentation of NATS."""

RAW = base64.b32decode(SEED + "======")[2:-2]

CREDS = f"""-----BEGIN NATS USER JWT-----
eyJ0eXAi.eyJqdGki.c2ln
------END NATS USER JWT------

************************* IMPORTANT *************************

-----BEGIN USER NKEY SEED-----
{SEED}
------END USER NKEY SEED------
"""


@pytest.mark.parametrize("text", [CREDS, CREDS.replace("\n", "\r\n")])
def test_a_creds_file(text: str) -> None:
    assert parse_credentials(text) == ("eyJ0eXAi.eyJqdGki.c2ln", RAW)


@pytest.mark.parametrize("text", [SEED, f"\n  {SEED}\n"])
def test_a_seed_alone(text: str) -> None:
    assert parse_credentials(text) == ("", RAW)


def test_a_public_key_is_written_as_nats_does() -> None:
    key = base64.b32decode("UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4")[1:-2]
    assert format_public_key(key) == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no seed of a user"),
        (SEED[:-1], "no seed of a user"),
        (SEED.replace("SU", "SA"), "no seed of a user"),
        (CREDS.replace(SEED, ""), "no seed of a user"),
        (SEED.replace("PMWZ", "PMWA"), "damaged"),
        (SEED.replace("SUAC", "SUBC"), "damaged"),
        (CREDS.replace("------END NATS USER JWT------", ""), "its JWT is damaged"),
    ],
    ids=["nothing", "short", "an account's", "no seed", "changed", "of another kind", "no end"],
)
def test_what_is_none_is_told_without_showing_it(text: str, why: str) -> None:
    with pytest.raises(SetupError, match=why) as caught:
        parse_credentials(text)
    assert SEED[5:20] not in str(caught.value)


def test_no_secret_is_shown() -> None:
    assert repr(parse_credentials(CREDS)) == "Credentials(...)"
