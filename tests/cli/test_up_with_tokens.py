"""`tailrace up` with edges that want tokens: what it suggests works."""

import re
import shlex

import httpx
from cli.command import Run, Start
from support.broker import PATIENCE, pick_ports

SECRET = "a secret of more than thirty-two bytes, for tests"
SETTINGS = {"TAILRACE_AUTH": "jwt", "TAILRACE_JWT_SECRET": SECRET}


def test_what_up_suggests_brings_its_token(start: Start, run: Run) -> None:
    [nats_port] = pick_ports(1)
    options = ["--port", "0", "--nats-port", str(nats_port), "--store", "data", "--edges", "1"]
    process = start("up", *options, **SETTINGS)
    assert process.stdout is not None
    text = ""
    while "and:" not in text and (line := process.stdout.readline()):
        text += line

    suggested = re.search(r"TAILRACE_TOKEN=\$\((tailrace token .*)\) tailrace tail '>' --url (\S+)", text)
    assert suggested, text
    token, url = run(*shlex.split(suggested[1])[1:], **SETTINGS).stdout.strip(), suggested[2]
    asked = {"topic": ">", "from": "start"}
    assert httpx.get(f"{url}/v1/default/history", params=asked, timeout=PATIENCE).status_code == 401
    headers = {"authorization": f"Bearer {token}"}
    allowed = httpx.get(f"{url}/v1/default/history", params=asked, headers=headers, timeout=PATIENCE)
    assert allowed.status_code == 200
