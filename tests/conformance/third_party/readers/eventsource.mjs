import { EventSource } from "eventsource";

import { listen, stayAlive, URL } from "./contract.mjs";

listen(new EventSource(URL));
stayAlive();
