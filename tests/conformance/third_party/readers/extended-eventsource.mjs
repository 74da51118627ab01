import { EventSource } from "extended-eventsource";

import { listen, URL } from "./contract.mjs";

listen(new EventSource(URL));
