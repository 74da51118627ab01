import { EventSource } from "eventsource";
import ReconnectingEventSource from "reconnecting-eventsource";

import { listen, stayAlive, URL } from "./contract.mjs";

listen(new ReconnectingEventSource(URL, { eventSourceClass: EventSource }));
stayAlive();
