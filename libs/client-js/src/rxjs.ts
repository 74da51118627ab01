/** Tailrace as Observables: cold, resuming inside; who unsubscribes closes the connection. */
import { Observable, ReplaySubject } from "rxjs";
import { createClient, type Client, type ClientOptions } from "./client.ts";
import { TailraceError } from "./errors.ts";
import type { Gap, Item, Reset, TailraceEvent } from "./items.ts";
import type { Link } from "./link.ts";
import type { StreamOptions } from "./stream.ts";

/** A URL of `/v1/{tenant}/events` with its query, or what to ask of a client. */
export type Source = string | URL | ({ client: Client } & Omit<StreamOptions, "signal">);

/** Of the client that is made for a URL. */
export type ConnectOptions = Omit<ClientOptions, "url" | "tenant">;

/** What a stream brings; an error only where nothing more can come, `complete` at its end. */
export class SseObservable<T> extends Observable<T> {
  /** How the stream is connected, the newest first. Of the subscription made last: `share()` if there are several. */
  readonly link$: Observable<Link>;
  /** Where events were missed: what is derived from them has to be read anew. */
  readonly gap$: Observable<Gap | Reset>;

  /** @internal */
  constructor(from: Source, options: ConnectOptions, types: readonly string[] | undefined, pick: (event: TailraceEvent) => T) {
    const links = new ReplaySubject<Link>(1);
    const gaps = new ReplaySubject<Gap | Reset>(1);
    super((subscriber) => {
      const own = typeof from === "string" || from instanceof URL ? readUrl(from, options) : undefined;
      const { client, ...asked } = own ?? (from as Exclude<Source, string | URL>);
      const stream = client.stream({ ...asked, ...(types && { types }) });
      stream.on("link", (link) => links.next(link));
      const take = (item: Item): boolean => {
        if (item.kind === "event") subscriber.next(pick(item));
        else gaps.next(item);
        return subscriber.closed;
      };
      void (async () => {
        try {
          for await (const item of stream) if (take(item)) break;
          subscriber.complete();
        } catch (error) {
          subscriber.error(error);
        }
      })();
      return () => {
        stream.close();
        if (own) client.dispose();
      };
    });
    this.link$ = links.asObservable();
    this.gap$ = gaps.asObservable();
  }
}

/** Emits the data of each event. */
export function connectSSE<T = unknown>(source: Source, options: ConnectOptions = {}): SseObservable<T> {
  return new SseObservable(source, options, undefined, ({ data }) => data as T);
}

/** The events of some types, each with its own data. */
export type EventOf<Data> = {
  [Type in keyof Data & string]: Omit<TailraceEvent<Data[Type]>, "type"> & { type: Type };
}[keyof Data & string];

/** Emits the events of `types` whole: `connectSSEWithEvents<{ paid: Order; sent: Parcel }>(url, ["paid", "sent"])`. */
export function connectSSEWithEvents<Data extends object = Record<string, unknown>>(
  source: Source,
  types: readonly (keyof Data & string)[],
  options: ConnectOptions = {},
): SseObservable<EventOf<Data>> {
  return new SseObservable(source, options, types, (event) => event as EventOf<Data>);
}

function readUrl(source: string | URL, options: ConnectOptions): { client: Client } & StreamOptions {
  const [place = "", fields] = `${source}`.split("?");
  const [, url, tenant] = /^(.*)\/v1\/([^/]+)\/events$/.exec(place) ?? [];
  if (url === undefined || tenant === undefined) throw new TailraceError("invalid", "url: not of /v1/{tenant}/events");
  const asked: StreamOptions & { topics: string[] } = { topics: [] };
  for (const [name, value] of new URLSearchParams(fields)) {
    if (name === "topic") asked.topics.push(value);
    else if (name === "from" || name === "last_event_id") asked.from = value;
    else if (name === "types") asked.types = value.split(",");
    else if (name === "max_rate") asked.maxRate = Number(value);
    else if (name === "until" && value === "terminal") asked.until = value;
    else throw new TailraceError("invalid", `url: ${name}`);
  }
  return { ...asked, client: createClient({ ...options, url, tenant }) };
}
