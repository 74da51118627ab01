import { EventSource } from "launchdarkly-eventsource";

import { listen, URL } from "./contract.mjs";

const source = new EventSource(URL);
// It throws errors that nobody listens for.
source.addEventListener("error", () => {});
listen(source);
