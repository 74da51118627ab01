/** The decoder of Server-sent events, for all that WHATWG allows (HTML Living Standard, 9.2). No I/O. */
import { TailraceError } from "./errors.ts";

/** Characters of one event. The log takes 1 MiB from foreign writers, and as JSON text it grows. */
const MAX_EVENT = 8 << 20;

/** An event as the decoder dispatches it. */
export interface SseEvent {
  /** Its type, `message` where none was sent. */
  event: string;
  /** Its lines joined by LF. */
  data: string;
  /** The last id that the stream sent up to and with this event; empty if none. */
  lastEventId: string;
}

/** Turns the bytes of one stream into events, however they are cut into chunks. */
export class SseDecoder {
  /** The id that a reconnect sends: it counts only once its event is whole. */
  lastEventId = "";
  /** Milliseconds to wait before reconnecting, where the stream said so. */
  declare retry: number | undefined;

  // Node's own stripping takes two byte order marks where the first is cut; one is to go, the others are content.
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** What does not count if the next text begins with it: a byte order mark; the LF of a CR that has ended its line. */
  #skip = "\uFEFF";
  #rest = "";
  #id = "";
  #event = "";
  #data = "";

  /** @param retry what the stream before said. */
  constructor(retry?: number) {
    this.retry = retry;
  }

  /** Yields the events that a chunk completes. What the stream's end cuts off is never dispatched. */
  *feed(chunk: Uint8Array): Generator<SseEvent, void, void> {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (!text) return;
    if (text[0] === this.#skip) text = text.slice(1);
    this.#skip = text.endsWith("\r") ? "\n" : "";
    const lines = text.split(/\r\n|\r|\n/);
    lines[0] = this.#rest + lines[0]!; // what is long is not searched again
    this.#rest = lines.pop() as string;
    for (const line of lines) {
      this.#check(line);
      if (line) this.#read(line);
      else {
        this.lastEventId = this.#id;
        if (this.#data) yield { event: this.#event || "message", data: this.#data.slice(0, -1), lastEventId: this.#id };
        this.#event = this.#data = "";
      }
    }
    this.#check(this.#rest);
  }

  #read(line: string): void {
    const [, name, value] = /^([^:]*):? ?(.*)/s.exec(line) as unknown as [string, string, string];
    if (name === "data") this.#data += `${value}\n`;
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = +value;
  }

  #check(line: string): void {
    if (this.#data.length + line.length > MAX_EVENT) throw new TailraceError("malformed", "an event is too large");
  }
}
