"""requests-sse comes back by itself; its first pause is 5 s otherwise."""

from datetime import timedelta

from requests_sse import EventSource  # type: ignore[import-not-found]  # of another environment

from conformance.third_party.readers.contract import PAUSE, URL, report

with EventSource(URL, reconnection_time=timedelta(seconds=PAUSE)) as source:
    for event in source:
        report(event.last_event_id, event.type, event.data)
