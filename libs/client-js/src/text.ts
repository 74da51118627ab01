import type { TailraceEvent } from "./items.ts";
import type { Stream } from "./stream.ts";

/** A text as far as it has come, as of a language model that writes it. */
export interface Text {
  readonly text: string;
  readonly status: "running" | "complete" | "failed" | "cancelled";
  /** Why the model stopped, in its own words. */
  readonly finishReason?: string | undefined;
  /** What the model counted, in its own words. */
  readonly usage?: Readonly<Record<string, unknown>> | undefined;
  /** Why the text failed. */
  readonly error?: { type: string; message: string } | undefined;
}

interface TextData {
  offset?: number;
  text?: string | null;
  finish_reason?: string;
  usage?: Record<string, unknown>;
  error?: { type: string; message: string };
}

/** Yields the text of a stream that begins at its topic's start. */
export async function* foldText(stream: Stream): AsyncGenerator<Text, void, void> {
  let folded: Folded = { text: "", length: 0 };
  let shown = folded;
  for await (const items of stream.read()) {
    for (const item of items) {
      if (item.kind === "reset") folded = shown = { text: "", length: 0 };
      if (item.kind !== "event") continue;
      const { type, data } = item as TailraceEvent<TextData | null>;
      if (type === "token") folded = fold(folded, data?.offset, data?.text);
      else if (type === "complete" || type === "failed" || type === "cancelled") {
        const { finish_reason: finishReason, usage, error } = data ?? {};
        yield { text: data?.text ?? folded.text, status: type, finishReason, usage, error };
        return;
      }
    }
    // What has come together is one step: who comes late to a long text is not shown how it grew.
    if (folded !== shown) yield { text: folded.text, status: "running" };
    shown = folded;
  }
}

interface Folded {
  text: string;
  /** In Unicode code points. */
  length: number;
}

/** Puts `text` at `offset` code points; not where something before it is missing, which a roll-up will bring. */
function fold(before: Folded, offset: unknown, text: unknown): Folded {
  if (typeof offset !== "number" || typeof text !== "string" || offset > before.length) return before;
  const kept = offset === before.length ? before.text : Array.from(before.text).slice(0, offset).join("");
  let length = offset;
  for (const _ of text) length++;
  return { text: kept + text, length };
}
