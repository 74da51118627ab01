"""launchdarkly-eventsource comes back by itself if it is told to go on after any error."""

from ld_eventsource import SSEClient  # type: ignore[import-not-found]  # of another environment
from ld_eventsource.config import ErrorStrategy  # type: ignore[import-not-found]  # of another environment

from conformance.third_party.readers.contract import URL, report

for event in SSEClient(URL, error_strategy=ErrorStrategy.always_continue()).events:
    report(event.last_event_id, event.event, event.data)
