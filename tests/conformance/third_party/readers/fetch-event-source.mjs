import { report, URL } from "./contract.mjs";

// It is made for browsers, and uses these two.
globalThis.window = globalThis;
globalThis.document = Object.assign(new EventTarget(), { hidden: false });
const { fetchEventSource } = (await import("@microsoft/fetch-event-source")).default;

await fetchEventSource(URL, {
  onmessage: ({ id, event, data }) => report(id, event, data),
  // As its documentation says: it takes any end for the last one otherwise.
  onclose() {
    throw new Error("the stream broke");
  },
});
