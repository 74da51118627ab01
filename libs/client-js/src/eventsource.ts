/**
 * Streams with native EventSource, for whatever cannot stream with fetch. What it can't: tell why it was refused, hear of
 * heartbeats, slow the edge down, or listen to types that it is not told; so without `types` it asks for Tailrace's own.
 */
import { CONTROL_TYPE } from "./items.ts";
import type { Answer, Transport } from "./transport.ts";

const TYPES = "start,progress,warning,log,token,message,notification,complete,failed,cancelled,deleted";

export const eventSource: Transport = async ({ edges, number, query, cursor, reason, signal, asked }) => {
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-template-expression -- numbers and lists come too
  const fields = query.map(([name, value]): [string, string] => [name, `${value}`]);
  const find = (wanted: string) => fields.find(([name]) => name === wanted)?.[1];
  const types = find("types") ?? TYPES;
  if (types === TYPES) fields.push(["types", TYPES]);
  if (cursor !== undefined) fields.push(["last_event_id", cursor]);
  if (edges.getToken) {
    const topics = fields.filter(([name]) => name === "topic").map(([, topic]) => topic);
    const answer = await edges.fetch({
      number,
      path: "tickets",
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ topics, from: cursor ?? find("from") }),
      reason,
      signal,
      asked,
    });
    if (!answer.ok) return answer;
    fields.push(["ticket", ((await answer.json()) as { ticket: string }).ticket]);
  }
  asked();
  signal.throwIfAborted();
  return open(edges.format({ number, path: "events", query: fields }), edges.credentials === "include", types, signal);
};

function open(url: string, withCredentials: boolean, types: string, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const source = new EventSource(url, { withCredentials });
    const encoder = new TextEncoder();
    const chunks: Uint8Array[] = [];
    let ended = false;
    let rouse = () => {};
    const end = () => {
      source.close();
      ended = true;
      rouse();
      reject(new Error("the EventSource was refused"));
    };
    source.onerror = end; // by itself it would come back with a ticket that has expired
    signal.addEventListener("abort", end, { once: true });
    const take = ({ lastEventId, type, data }: MessageEvent<string>) => {
      chunks.push(encoder.encode(`id: ${lastEventId}\nevent: ${type}\ndata: ${data.replaceAll("\n", "\ndata: ")}\n\n`));
      rouse();
    };
    for (const type of [CONTROL_TYPE, ...types.split(",")]) source.addEventListener(type, take);
    const read = async () => {
      while (!chunks.length && !ended) await new Promise<void>((wake) => (rouse = wake));
      return { value: chunks.shift() };
    };
    source.onopen = () =>
      resolve({
        status: 200,
        headers: { get: () => "text/event-stream" },
        body: { getReader: () => ({ read }) },
        text: async () => "",
        deaf: true,
      });
  });
}
