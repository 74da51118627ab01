import { EventSource } from "undici";

import { listen, stayAlive, URL } from "./contract.mjs";

listen(new EventSource(URL));
stayAlive();
