/** What is stored, for who shares a connection and lacks something. */
import type { Query } from "./edges.ts";
import { CONTROL_TYPE, isPast, type TailraceEvent } from "./items.ts";
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
export const readStored: Transport = async ({ edges, query, cursor, ...request }) => {
  const topics = query.filter(([name]) => name === "topic");
  const from = cursor ?? (query.find(([name]) => name === "from")?.[1] as string);
  const newest = from === "last";
  const path = newest ? "topics" : "history";
  const lists: Query[] = newest ? topics.map(([, topic]) => [["match", topic]]) : [[...topics, ["from", from]]];
  const pages: Page[] = [];
  for (const fields of lists) {
    let following: Query = [];
    do {
      const answer = await edges.fetch({ ...request, path, query: [...fields, ...following] });
      if (!answer.ok) return answer;
      const page: Page = await answer.json();
      pages.push(page);
      following = newest && page.next !== null ? [["page", page.next]] : [];
    } while (following.length);
  }
  const [{ cursor: head, gap, next }] = pages as [Page];
  const events = pages.flatMap((page) => page.events).sort((one, other) => (isPast(other.id, one.id) ? -1 : 1));
  const lines = [
    ...(gap ? [format(gap.to, CONTROL_TYPE, { kind: "gap", why: "retention", ...gap })] : []),
    ...events.map((event) => format(event.id, event.type, event)),
    format(head, CONTROL_TYPE, { kind: "closing", reason: newest || next === null ? "finished" : "more", retry: 0 }),
  ];
  return new Response(lines.join(""), { headers: { "content-type": "text/event-stream" } });
};

function format(id: string, type: string, data: object): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
