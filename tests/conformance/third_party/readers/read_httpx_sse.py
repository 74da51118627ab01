"""httpx-sse does not come back: the program does, with the last id as a header."""

import time

import httpx
from httpx_sse import connect_sse

from conformance.third_party.readers.contract import PAUSE, URL, report

headers: dict[str, str] = {}
while True:
    try:
        with httpx.Client(timeout=None) as client, connect_sse(client, "GET", URL, headers=headers) as source:
            for event in source.iter_sse():
                report(event.id, event.event, event.data)
                if event.id:
                    headers["Last-Event-ID"] = event.id
    except httpx.TransportError:
        pass
    time.sleep(PAUSE)
