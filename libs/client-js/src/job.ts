import { Emitter } from "./emitter.ts";
import type { Client } from "./client.ts";
import { TailraceError } from "./errors.ts";
import type { Gap, Reset, TailraceEvent } from "./items.ts";
import { CONNECTING, type Link } from "./link.ts";
import { onAbort } from "./signals.ts";
import type { Stream } from "./stream.ts";

export type JobStatus = "running" | "retrying" | "worker_lost" | "complete" | "failed" | "cancelled";

export interface JobStep {
  name: string;
  status: "running" | "complete" | "failed";
  /** Its share of the job, beside those of the other steps; 1 if left out. */
  weight?: number;
  /** 0 to 100; left out while nobody knows. */
  percent?: number | null;
  /** The topic of the job that does it, if a job of its own does. */
  job?: string | null;
}

export interface JobWarning {
  message: string;
  time: string;
  data?: unknown;
}

/** The whole state of a job, as each event on its topic carries it. What has its default may be left out. */
export interface JobState<Result = unknown> {
  id: string;
  status: JobStatus;
  user?: string | null;
  title?: string | null;
  /** Units done so far; 0 if left out. */
  done?: number;
  /** Units there are; left out while nobody knows. */
  total?: number | null;
  /** Units of `done` that failed. */
  failed?: number;
  /** 0 to 100. */
  percent?: number | null;
  /** Units a second. */
  rate?: number | null;
  /** Seconds until it is done, as far as the rate tells. */
  eta?: number | null;
  step?: string | null;
  steps?: readonly JobStep[];
  message?: string | null;
  /** The newest 20; `warned` is how many there were. */
  warnings?: readonly JobWarning[];
  warned?: number;
  metadata?: Readonly<Record<string, unknown>>;
  /** What a complete job came to. */
  result?: Result;
  /** Why it failed. */
  error?: { type: string; message: string } | null;
  started?: string | null;
  updated?: string | null;
  ended?: string | null;
  /** 1 if left out. */
  attempt?: number;
  /** The topic of the job that this one is a part of. */
  parent?: string | null;
  /** It was asked to cancel, and its worker has heard that. */
  cancelling?: boolean;
  /** Seconds after `updated` within which the worker will be heard of again; else it is lost. */
  lease?: number | null;
}

/** What can be known of a job at the moment. Another object with each change, and the same one until then. */
export interface JobSnapshot<Result = unknown> {
  /** Undefined until the first event, also if there is no such job yet. */
  readonly state: JobState<Result> | undefined;
  readonly link: Link;
  /** Why nothing more comes, unless the job has ended. */
  readonly error: unknown;
}

export interface JobEvents<Result = unknown> {
  /** Each new state, the last one included. */
  progress: JobState<Result>;
  link: Link;
  /** Something was missed. The state is whole nevertheless, since the newest event carries all of it. */
  gap: Gap | Reset;
  /** The job is complete, failed or cancelled. Who begins to listen afterwards hears of it too. */
  end: JobState<Result>;
  /** Nothing more comes: an edge refused, or the job was deleted. */
  error: unknown;
  /** The snapshot is another one. */
  change: JobSnapshot<Result>;
}

/** Whether a state is the last one. */
export function isTerminal(state: JobState | undefined): boolean {
  return ["complete", "failed", "cancelled"].includes(state?.status as JobStatus);
}

/** Returns any text as one token of a topic. */
export function quoteToken(text: string): string {
  const quote = (each: string) => encodeURIComponent(each).replace(".", "%2E").replace("*", "%2A");
  return text.replace(/[.*>%\p{Cc}\p{Cf}\p{Co}\p{Z}]/gu, quote);
}

/** Returns the topic of a job. */
export function formatTopic(id: string, user: string | undefined): string {
  return `${user === undefined ? "" : `users.${quoteToken(user)}.`}jobs.${quoteToken(id)}`;
}

/**
 * A job to watch, which need not exist yet. It is followed while somebody listens or waits, over one stream however
 * many they are, and no more once it has ended.
 */
export class Job<Result = unknown> extends Emitter<JobEvents<Result>> {
  declare readonly id: string;
  declare readonly user: string | undefined;
  /** Where its events are. */
  declare readonly topic: string;
  /** For `useSyncExternalStore`: the same object until something changes. */
  snapshot: JobSnapshot<Result> = { state: undefined, link: CONNECTING, error: undefined };

  #client: Client;
  #stream: Stream<JobState<Result>> | undefined;

  /** @internal */
  constructor(id: string, user: string | undefined, topic: string, client: Client) {
    super();
    this.id = id;
    this.user = user;
    this.topic = topic;
    this.#client = client;
  }

  override on<Name extends keyof JobEvents<Result>>(
    name: Name,
    listener: (value: JobEvents<Result>[Name]) => void,
  ): () => void {
    const off = super.on(name, listener);
    const { state } = this.snapshot;
    if (!this.#stream) {
      if (!isTerminal(state)) void this.#follow();
      else if (name === "end") queueMicrotask(() => (listener as (value: typeof state) => void)(state));
    }
    return () => {
      off();
      // A component that is mounted anew leaves and comes back within one task.
      queueMicrotask(() => this.listening || this.#stream?.close());
    };
  }

  /** Calls `listener` when the snapshot is another one; returns what ends that. For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => this.on("change", listener);

  /** Returns `snapshot`. For `useSyncExternalStore`. */
  readonly getSnapshot = (): JobSnapshot<Result> => this.snapshot;

  /**
   * Resolves to the last state, however the job ended, also if that was long ago. Rejects if an edge refuses or the job
   * is deleted, and with the signal's reason when it is aborted.
   */
  async finished({ signal }: { signal?: AbortSignal } = {}): Promise<JobState<Result>> {
    const { promise, resolve, reject } = Promise.withResolvers<JobState<Result>>();
    signal?.throwIfAborted();
    const leave = [onAbort(signal, reject), this.on("end", resolve), this.on("error", reject)];
    return promise.finally(() => leave.forEach((off) => off()));
  }

  /**
   * Asks the worker to stop, and resolves when it has heard that; the job's end comes as any other. Rejects with the
   * code `no-such-job`, `job-ended` or `no-worker`.
   */
  async cancel(): Promise<void> {
    const query = this.user === undefined ? [] : [["user", this.user] as const];
    await this.#client.call(`jobs/${encodeURIComponent(this.id)}/cancel`, { method: "POST", query });
  }

  async #follow(): Promise<void> {
    const stream = (this.#stream = this.#client.stream<JobState<Result>>({ topics: this.topic, from: "last" }));
    this.#set({ link: stream.link, error: undefined });
    stream.on("link", (link) => {
      this.#set({ link });
      this.emit("link", link);
    });
    try {
      for await (const item of stream) {
        if (item.kind !== "event") this.emit("gap", item);
        else if (this.#take(item)) break;
      }
      this.#stream = undefined;
      const { state } = this.snapshot;
      if (isTerminal(state)) this.emit("end", state as JobState<Result>);
      // Somebody came while the stream was being closed.
      else if (this.listening && !this.#client.disposed) void this.#follow();
    } catch (error) {
      this.#stream = undefined;
      this.#set({ error });
      this.emit("error", error);
    }
  }

  /** Takes an event in, and returns whether it was the last one. */
  #take({ type, data }: TailraceEvent<JobState<Result> | null>): boolean {
    if (type === "deleted") throw new TailraceError("deleted", this.topic);
    // A foreign writer may have put something else there.
    if (typeof data?.id !== "string" || typeof data.status !== "string") return false;
    this.#set({ state: data });
    this.emit("progress", data);
    return isTerminal(data);
  }

  #set(change: Partial<JobSnapshot<Result>>): void {
    this.snapshot = { ...this.snapshot, ...change };
    this.emit("change", this.snapshot);
  }
}
