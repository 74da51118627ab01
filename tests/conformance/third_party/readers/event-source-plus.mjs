import { EventSourcePlus } from "event-source-plus";

import { report, URL } from "./contract.mjs";

new EventSourcePlus(URL).listen({
  onMessage: ({ id, event, data }) => report(id, event, data),
});
