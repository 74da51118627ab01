"use client";
/** Tailrace in React 18 and newer: jobs and streams as hooks. Nothing is connected while rendering, or on a server. */
import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactElement,
  type ReactNode,
} from "react";
import type { Client } from "./client.ts";
import { TailraceError } from "./errors.ts";
import { nameFeed, NO_FEED, viewFeed, type FeedOptions, type FeedSnapshot } from "./feed.ts";
import type { Item } from "./items.ts";
import type { JobSnapshot, JobState } from "./job.ts";

export type { FeedSnapshot } from "./feed.ts";

const ClientContext = createContext<Client | undefined>(undefined);
const NO_JOB: JobSnapshot<never> = { state: undefined, link: NO_FEED.link, error: undefined };
const getNoJob = () => NO_JOB;
const getNoFeed = () => NO_FEED;
const watchNothing = () => () => {};

/** Gives `client` to all hooks below. Whoever made the client disposes of it. */
export function TailraceProvider({ client, children }: { client: Client; children?: ReactNode }): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** Returns `client`, or else that of the provider around. */
export function useTailrace(client?: Client): Client {
  const provided = useContext(ClientContext);
  const found = client ?? provided;
  if (!found) throw new TailraceError("invalid", "no client: pass one, or put a TailraceProvider around");
  return found;
}

export interface UseJobOptions<Result> {
  /** That of the provider by default. */
  client?: Client | undefined;
  user?: string | undefined;
  /** What is shown until the first event comes: what the server has rendered. */
  initial?: JobState<Result> | undefined;
}

export interface JobView<Result = unknown> extends JobSnapshot<Result> {
  /** As `Job.cancel`: resolves when the worker has heard it. */
  cancel: () => Promise<void>;
}

/**
 * Watches a job while the component is mounted; nothing while `id` is null. All components that watch the same job with
 * the same client share one stream.
 */
export function useJob<Result = unknown>(
  id: string | null | undefined,
  { client, user, initial }: UseJobOptions<Result> = {},
): JobView<Result> {
  const tailrace = useTailrace(client);
  const job = useMemo(() => (id == null ? undefined : tailrace.job<Result>(id, { user })), [tailrace, id, user]);
  const snapshot = useSyncExternalStore<JobSnapshot<Result>>(
    job?.subscribe ?? watchNothing,
    job?.getSnapshot ?? getNoJob,
    getNoJob,
  );
  const cancel = useCallback(async () => {
    if (!job) throw new TailraceError("invalid", "no job");
    await job.cancel();
  }, [job]);
  return { ...snapshot, state: snapshot.state ?? initial, cancel };
}

export interface UseStreamOptions<T> extends FeedOptions {
  /** That of the provider by default. */
  client?: Client | undefined;
  /** Called with each event, gap and reset, also those that are not kept. */
  onItem?: ((item: Item<T>) => void) | undefined;
}

/**
 * Watches topics while the component is mounted, and returns the newest events. Components that ask for the same of the
 * same client share one stream. A change of any option but `from` and `onItem` opens another one.
 */
export function useStream<T = unknown>(options: UseStreamOptions<T>): FeedSnapshot<T> {
  const client = useTailrace(options.client);
  // A time that is written as `new Date()` is another one with each rendering.
  const [from] = useState(options.from);
  const name = nameFeed({ ...options, from });
  const view = useMemo(() => viewFeed<T>(client, { ...options, from }), [client, name]);
  const onItem = useRef(options.onItem);
  useEffect(() => {
    onItem.current = options.onItem;
  });
  const subscribe = useCallback(
    (onChange: () => void) => view.subscribe(onChange, (item) => onItem.current?.(item)),
    [view],
  );
  return useSyncExternalStore<FeedSnapshot<T>>(subscribe, view.getSnapshot, getNoFeed);
}
