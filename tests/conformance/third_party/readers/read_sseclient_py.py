"""sseclient-py does not come back: the program does, with the last id as a header."""

import time

import requests
import sseclient  # type: ignore[import-not-found]  # of another environment

from conformance.third_party.readers.contract import PAUSE, URL, report

headers = {"Accept": "text/event-stream"}
while True:
    try:
        with requests.get(URL, headers=headers, stream=True, timeout=None) as response:
            for event in sseclient.SSEClient(response).events():
                report(event.id, event.event, event.data)
                if event.id:
                    headers["Last-Event-ID"] = event.id
    except requests.RequestException:
        pass
    time.sleep(PAUSE)
