/** Tailrace in Angular: a client to inject, jobs and streams as signals. Needs no zone; opens nothing on a server. */
import {
  assertInInjectionContext,
  computed,
  DestroyRef,
  effect,
  inject,
  InjectionToken,
  Injector,
  makeEnvironmentProviders,
  PLATFORM_ID,
  signal,
  untracked,
  type EnvironmentProviders,
  type Signal,
} from "@angular/core";
import { createClient, type Client, type ClientOptions } from "./client.ts";
import { TailraceError } from "./errors.ts";
import { NO_FEED, viewFeed, type FeedOptions, type FeedSnapshot } from "./feed.ts";
import type { Job, JobSnapshot } from "./job.ts";

export type { FeedSnapshot } from "./feed.ts";
export { fromMsal, type SilentRequest } from "./msal.ts";

const CLIENT = new InjectionToken<Client>("Tailrace");
const NO_JOB: JobSnapshot<never> = { state: undefined, link: NO_FEED.link, error: undefined };

/**
 * Provides one client, which is disposed of with its injector. A function is called in the injection context when the
 * client is first needed, so it may `inject` what the options are made of.
 */
export function provideTailrace(options: ClientOptions | (() => ClientOptions)): EnvironmentProviders {
  const makeClient = () => {
    const client = createClient(typeof options === "function" ? options() : options);
    inject(DestroyRef).onDestroy(() => client.dispose());
    return client;
  };
  return makeEnvironmentProviders([{ provide: CLIENT, useFactory: makeClient }]);
}

/** Returns the client that was provided. */
export function injectTailrace(): Client {
  return inject(CLIENT);
}

export interface SignalOptions {
  /** Where it is called outside of an injection context. */
  injector?: Injector | undefined;
}

/** A job's snapshot as a signal. */
export interface JobSignal<Result = unknown> extends Signal<JobSnapshot<Result>> {
  /** As `Job.cancel`: resolves when the worker has heard it. */
  cancel(): Promise<void>;
}

/**
 * Watches a job until the component or service that calls this is destroyed. A function, as a signal or an input, is
 * followed when its value changes; while there is no id nothing is watched.
 */
export function jobSignal<Result = unknown>(
  id: string | (() => string | null | undefined),
  { user, injector = getInjector(jobSignal) }: SignalOptions & { user?: string | undefined } = {},
): JobSignal<Result> {
  const client = injector.get(CLIENT);
  const job = computed((): Job<Result> | undefined => {
    const wanted = typeof id === "function" ? id() : id;
    return wanted == null ? undefined : client.job<Result>(wanted, { user });
  });
  const snapshot = follow<JobSnapshot<Result>>(injector, () => job() ?? { subscribe: watchNothing, getSnapshot: () => NO_JOB });
  const cancel = async (): Promise<void> => {
    const watched = untracked(job);
    if (!watched) throw new TailraceError("invalid", "no job");
    await watched.cancel();
  };
  return Object.assign(snapshot, { cancel });
}

/**
 * Watches topics until the component or service that calls this is destroyed, and holds the newest events. Those who ask
 * for the same share one stream. A function is followed: another stream is opened when it asks for something else.
 */
export function streamSignal<T = unknown>(
  options: FeedOptions | (() => FeedOptions),
  { injector = getInjector(streamSignal) }: SignalOptions = {},
): Signal<FeedSnapshot<T>> {
  const client = injector.get(CLIENT);
  return follow(injector, () => viewFeed<T>(client, typeof options === "function" ? options() : options));
}

interface Store<Snapshot> {
  subscribe: (onChange: () => void) => () => void;
  getSnapshot: () => Snapshot;
}

/** Returns the snapshot of a store, which may become another one. */
function follow<Snapshot>(injector: Injector, getStore: () => Store<Snapshot>): Signal<Snapshot> {
  const store = computed(getStore);
  const changes = signal(0);
  // On a server the connection would outlive what is rendered.
  if (injector.get(PLATFORM_ID) !== "server") {
    effect(
      (onCleanup) => {
        const { subscribe } = store();
        const off = untracked(() => subscribe(() => changes.update((number) => number + 1)));
        onCleanup(off);
      },
      { injector },
    );
  }
  return computed(() => {
    changes();
    return store().getSnapshot();
  });
}

const watchNothing = () => () => {};

function getInjector(caller: (...given: never[]) => unknown): Injector {
  assertInInjectionContext(caller);
  return inject(Injector);
}
