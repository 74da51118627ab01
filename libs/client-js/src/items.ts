/** What a stream brings. */

/** An event. `kind` tells it from the other items. */
export interface TailraceEvent<T = unknown> {
  kind: "event";
  /** Its place in the log. Opaque: pass it back as it came. */
  id: string;
  topic: string;
  /** `progress`, `complete`, `message`, ... or one of your own. */
  type: string;
  /** When it was published, RFC 3339. */
  time: string;
  data: T;
}

/** Stored events from `from` to `to`, both included, are gone. What is left follows. */
export interface Gap {
  kind: "gap";
  from: string;
  to: string;
  why: string;
}

/** The log is another one, or has lost its end: state has to be read anew. The stream goes on after `cursor`. */
export interface Reset {
  kind: "reset";
  why: string;
  cursor: string;
}

export type Item<T = unknown> = TailraceEvent<T> | Gap | Reset;

/** What the stream says about itself, as data of events of type `tailrace`. */
export interface Control {
  kind?: string;
  mode?: string;
  cursor?: string;
  heartbeat?: number;
  edge?: string;
  from?: string;
  to?: string;
  why?: string;
  reason?: string;
  retry?: number;
}

export const CONTROL_TYPE = "tailrace";
const POSITION = /^[0-9a-f]{8}-(0|[1-9]\d{0,18})$/;

/** Whether a text is an event id. */
export function isId(text: string | null | undefined): text is string {
  return POSITION.test(text ?? "");
}

/** Whether everything up to `id` was had by who is at `cursor`. Of another log nothing was. */
export function isPast(cursor: string | undefined, id: string): boolean {
  if (cursor?.slice(0, 9) !== id.slice(0, 9)) return false;
  return id.length < cursor.length || (id.length === cursor.length && id <= cursor);
}

/** Returns the object that a JSON text is; one without any fields if it is none. */
export function parseObject<T extends object>(text: string): Partial<T> {
  try {
    return Object(JSON.parse(text)) as Partial<T>;
  } catch {
    return {};
  }
}

/** Whether `topic` lies inside `pattern`, as NATS matches subjects: `*` is one token, `>` the rest. */
export function matches(pattern: string, topic: string): boolean {
  const outer = pattern.split(".");
  const inner = topic.split(".");
  for (const [index, token] of outer.entries()) {
    if (token === ">") return inner.length > index;
    if (token !== "*" && token !== inner[index]) return false;
  }
  return outer.length === inner.length;
}
