import { EventSource } from "eventsource4";

import { listen, URL } from "./contract.mjs";

listen(new EventSource(URL));
