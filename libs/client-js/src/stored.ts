/** What is stored, for who shares a connection and lacks something. */
import type { AskedStream } from "./client.ts";
import type { Query } from "./edges.ts";
import { readProblem } from "./errors.ts";
import { CONTROL_TYPE, isPast, parseObject, type TailraceEvent } from "./items.ts";
import type { Transport } from "./transport.ts";

interface Page {
  events: Omit<TailraceEvent, "kind">[];
  cursor: string;
  /** Where the following page begins; null if this is the last one. */
  next: string | null;
  gap?: { from: string; to: string } | null;
}

/**
 * Answers as a stream does that ends at the head of the log: with the newest event of each topic where it is to begin
 * with these, else with a page of the history, which the next attempt carries on.
 */
export const readStored = (asked: AskedStream): Transport => async ({ edges, cursor, ...request }) => {
  const from = cursor ?? asked.from;
  const newest = from === "last";
  const pages: Page[] = [];
  const read = async (path: string, query: Query): Promise<void> => {
    const answer = await edges.fetch({ ...request, path, query });
    const text = await answer.text();
    const page = parseObject<Page>(text) as Page;
    if (!page.cursor) throw readProblem(answer, text);
    pages.push(page);
    if (newest && page.next) await read(path, [query[0], ["page", page.next]] as Query);
  };
  if (newest) for (const topic of asked.topics) await read("topics", [["match", topic]]);
  else await read("history", [...asked.topics.map((topic) => ["topic", topic] as const), ["from", from]]);
  const [{ cursor: head, gap, next }] = pages as [Page];
  // What is newer than where the stream goes on from comes then.
  const events = pages.flatMap((page) => page.events).filter(({ id }) => isPast(head, id));
  const lines = [
    gap && format(gap.to, CONTROL_TYPE, { kind: "gap", why: "retention", ...gap }),
    ...events.sort((one, other) => (isPast(other.id, one.id) ? -1 : 1)).map((event) => format(event.id, event.type, event)),
    format(head, CONTROL_TYPE, { kind: "closing", reason: newest || !next ? "finished" : "more", retry: 0 }),
  ];
  return new Response(lines.join(""), { headers: { "content-type": "text/event-stream" } });
};

function format(id: string, type: string, data: object): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
