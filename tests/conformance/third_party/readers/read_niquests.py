"""niquests does not come back: the program does, with the last id as a header."""

import time

import niquests  # type: ignore[import-not-found]  # of another environment

from conformance.third_party.readers.contract import PAUSE, URL, report

headers: dict[str, str] = {}
with niquests.Session() as session:
    while True:
        try:
            # `psse` is its word for such a stream over plain HTTP.
            response = session.get(URL.replace("http:", "psse:"), headers=headers, timeout=None)
            while (event := response.extension.next_payload()) is not None:
                report(event.id, event.event, event.data)
                if event.id:
                    headers["Last-Event-ID"] = event.id
        except niquests.RequestException:
            pass
        time.sleep(PAUSE)
