import polyfill from "event-source-polyfill";

import { listen, URL } from "./contract.mjs";

// It sends the last id as a parameter of the query: `lastEventId`.
// The proxy holds its stream until the slowest of all clients has come as far: by default that may take it 45 s.
listen(new polyfill.EventSourcePolyfill(URL, { heartbeatTimeout: 600_000 }));
