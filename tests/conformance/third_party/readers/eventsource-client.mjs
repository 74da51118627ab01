import { createEventSource } from "eventsource-client";

import { report, URL } from "./contract.mjs";

for await (const { id, event, data } of createEventSource(URL)) report(id, event, data);
