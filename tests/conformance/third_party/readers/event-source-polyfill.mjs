import polyfill from "event-source-polyfill";

import { listen, URL } from "./contract.mjs";

// It sends the last id as a parameter of the query: `lastEventId`.
listen(new polyfill.EventSourcePolyfill(URL));
