// Runs in a page of Chromium, see read_in_chromium.py: it needs XMLHttpRequest.
import { SSE } from "../node_modules/sse.js/lib/sse.js";

const url = new URL(document.URL).searchParams.get("stream");
const source = new SSE(url, { autoReconnect: true, reconnectDelay: 100 });
for (const type of ["tailrace", "message", "progress", "invoice.paid", "complete"]) {
  source.addEventListener(type, async (event) => {
    await show(event.id, type, event.data);
    if (type === "tailrace" && event.data.includes('"kind":"closing"')) globalThis.over = true;
  });
}
