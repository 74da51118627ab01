import type { Client } from "../client.ts";
import type { GetToken } from "../edges.ts";
import type { Here } from "../here.ts";
import type { Job, JobSnapshot, JobState } from "../job.ts";
import { CONNECTING, type Link } from "../link.ts";
import { getClient } from "./clients.ts";
import type { Extras } from "./extras.ts";
import { advance } from "./percent.ts";
import { judge, type Condition, type Phase } from "./phase.ts";
import { describe } from "./sight.ts";
import { english, type Strings } from "./strings.ts";
import { build, paint, type Parts } from "./view.ts";
import { Words } from "./words.ts";

/** Milliseconds between two paints. */
const FRAME = 100;
/** Milliseconds between looks at the clock. */
const TICK = 1000;

const ATTRIBUTES = ["job", "user", "src", "tenant", "label", "kind", "show", "announce"] as const;
/** What only scripts can give. */
const GIVEN = ["client", "getToken", "strings"] as const;
/** Those that say what is followed. */
const SOURCES = ["job", "user", "src", "tenant", "client", "getToken"];

// So that servers which render pages can import it.
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- nothing is ever made of it
const Base = (globalThis as Here).HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * `<tailrace-progress job="import-42" tenant="acme">`: a job's progress, live.
 *
 * Dispatches `tr-progress` (detail: the job's state), `tr-link` (the link), `tr-end` (the last state), `tr-error` (why
 * nothing more comes), and before it cancels the job `tr-cancel`, which may be prevented.
 */
export class TailraceProgress extends Base {
  static readonly observedAttributes: readonly string[] = [...ATTRIBUTES, "cancelable", "lang"];
  /** Words by language; what is missing is English. */
  static strings: Record<string, Partial<Strings>> = { en: english };
  /** For all elements that have neither a client of their own nor `src` or `tenant`. */
  static client: Pick<Client, "job"> | undefined;

  /** The job's id. */
  declare job: string;
  /** Its owner, if it has one. */
  declare user: string;
  /** URLs of edges, separated by white space; the page's own origin if empty. */
  declare src: string;
  declare tenant: string;
  /** The job's title if empty. */
  declare label: string;
  /** `bar` if empty, or `gauge`. */
  declare kind: string;
  /** What of `label percent count failed rate eta step message steps warnings` is shown; all but `steps` if empty. */
  declare show: string;
  /** What is told to those who listen: `quarter` if empty (25, 50, 75 and 100 % besides all changes), `state`, `off`. */
  declare announce: string;
  /** In place of one that is made of `src`, `tenant` and `getToken`. */
  declare client: Pick<Client, "job"> | undefined;
  /** Returns the token for each connection. Elements with the same function share a client. */
  declare getToken: GetToken | undefined;
  /** Words in place of those of the page's language. */
  declare strings: Partial<Strings> | undefined;

  static {
    for (const name of ATTRIBUTES) {
      Object.defineProperty(this.prototype, name, {
        get(this: TailraceProgress) {
          return this.getAttribute(name) ?? "";
        },
        set(this: TailraceProgress, value: string) {
          this.setAttribute(name, value);
        },
      });
    }
    for (const name of GIVEN) {
      Object.defineProperty(this.prototype, name, {
        get(this: TailraceProgress) {
          return this.#given[name];
        },
        set(this: TailraceProgress, value: never) {
          this.#given[name] = value;
          this.attributeChangedCallback(name);
        },
      });
    }
  }

  #parts: Parts;
  /** Undefined until it is loaded. */
  #extras: Extras | undefined;
  #internals: ElementInternals;
  #given: Partial<Pick<TailraceProgress, (typeof GIVEN)[number]>> = {};

  // Of the job that is followed
  #shared: Client | undefined;
  #job: Job | undefined;
  #leave: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #failure: Error | undefined;
  #percent: number | undefined;
  #taken: Parameters<Extras["take"]> | undefined;
  #asked = false;
  #refusal = "";

  #paintedAt = 0;
  #due = false;
  #stale = true;

  constructor() {
    super();
    this.#internals = this.attachInternals();
    this.#parts = build(this.attachShadow({ mode: "open" }));
  }

  get cancelable(): boolean {
    return this.hasAttribute("cancelable");
  }
  set cancelable(cancelable: boolean) {
    this.toggleAttribute("cancelable", cancelable);
  }

  get snapshot(): JobSnapshot {
    return this.#job?.snapshot ?? { state: undefined, link: CONNECTING, error: this.#failure };
  }

  /** The newest state of the job; undefined before there is one. */
  get state(): JobState | undefined {
    return this.snapshot.state;
  }

  get link(): Link {
    return this.snapshot.link;
  }

  /** What the job is doing, as far as this page knows. */
  get phase(): Phase {
    return this.#condition.phase;
  }

  /** 0 to 100, as it is shown; undefined while nobody knows. */
  get percent(): number | undefined {
    return this.#percent;
  }

  /** Seconds until the end; undefined while that means nothing. */
  get eta(): number | undefined {
    return this.#condition.moving ? this.#extras?.left : undefined;
  }

  /** Asks the worker to stop. Rejects where nobody has heard that. */
  async cancel(): Promise<void> {
    const job = this.#followed;
    this.#asked = true;
    this.#refusal = "";
    this.#invalidate();
    try {
      await job.cancel();
    } catch (error) {
      this.#asked = false;
      const { code } = error as { code?: string };
      if (code !== "job-ended") this.#refusal = this.#words.say(code === "no-worker" ? code : "not-cancelled");
      this.#invalidate();
      throw error;
    }
  }

  /** Tries again where the link is `unauthorized`: somebody has signed in. */
  authorize(): void {
    this.#shared?.authorize();
  }

  /** Resolves to the job's last state. */
  async finished(options?: { signal?: AbortSignal }): Promise<JobState> {
    return this.#followed.finished(options);
  }

  connectedCallback(): void {
    // What was set before the element was known.
    for (const name of [...ATTRIBUTES, ...GIVEN, "cancelable"] as const) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- it hides the accessor of the class
      delete (this as Partial<this>)[name];
      Object.assign(this, { [name]: value });
    }
    if (this.#stale || !this.#job) this.#follow();
  }

  disconnectedCallback(): void {
    // It may only be moved.
    queueMicrotask(() => this.isConnected || this.#end());
  }

  /** `moveBefore` keeps everything. */
  connectedMoveCallback(): void {}

  attributeChangedCallback(name: string): void {
    if (SOURCES.includes(name)) this.#restart();
    else this.#invalidate();
  }

  get #followed(): Job {
    if (!this.#job) throw this.#failure ?? new Error("no job is followed");
    return this.#job;
  }

  get #condition(): Condition {
    return judge(this.snapshot, this.#asked);
  }

  get #words(): Words {
    const language = this.closest<HTMLElement>("[lang]")?.lang ?? "";
    const { strings } = TailraceProgress;
    return new Words(language, { ...(strings[language] ?? strings[language.slice(0, 2)]), ...this.strings });
  }

  #restart(): void {
    if (this.#stale) return;
    this.#stale = true;
    queueMicrotask(() => this.isConnected && this.#stale && this.#follow());
  }

  #follow(): void {
    this.#end();
    this.#stale = false;
    this.#percent = this.#taken = this.#failure = undefined;
    this.#asked = false;
    this.#refusal = "";
    this.#extras?.begin();
    if (this.job) {
      try {
        this.#begin();
      } catch (error) {
        this.#failure = error as Error;
      }
    }
    this.#paint();
    this.#extend();
  }

  /**
   * Adds what nothing waits for. Where that cannot be loaded, the link's next change tries again; browsers older than
   * https://github.com/whatwg/html/pull/10327 remember the failure as long as the page lives.
   */
  #extend(): void {
    if (this.#extras) return;
    const add = ({ Extras }: typeof import("./extras.ts")) => {
      if (this.#extras || !this.isConnected) return;
      this.#extras = new Extras(this, this.#parts);
      if (this.#taken) this.#extras.take(...this.#taken);
      this.#paint();
    };
    import("./extras.ts").then(add, () => {});
  }

  #begin(): void {
    const client =
      this.client ??
      (this.src || this.tenant ? undefined : TailraceProgress.client) ??
      (this.#shared = getClient(this.src, this.tenant, this.getToken));
    const job = (this.#job = client.job(this.job, this.user ? { user: this.user } : {}));
    if (job.snapshot.state) this.#take(job.snapshot.state, false);
    this.#leave = (["progress", "link", "end", "error"] as const).map((name) =>
      job.on(name, (detail: unknown) => {
        if (name === "progress") this.#take(detail as JobState, job.snapshot.link.state === "live");
        if (name === "link") this.#extend();
        this.#invalidate();
        this.dispatchEvent(new CustomEvent(`tr-${name}`, { detail, bubbles: true, composed: true }));
      }),
    );
    this.#timer = setInterval(() => this.#invalidate(), TICK);
  }

  #end(): void {
    for (const leave of this.#leave.splice(0)) leave();
    clearInterval(this.#timer);
    this.#extras?.stop();
    this.#job = this.#shared = undefined;
  }

  #take(state: JobState, live: boolean): void {
    this.#percent = advance(this.#percent, this.#taken?.[0], state);
    this.#taken = [state, Date.now(), live];
    this.#extras?.take(...this.#taken);
    if (state.cancelling) this.#asked = false;
  }

  #invalidate(): void {
    if (this.#due || !this.#job) return;
    this.#due = true;
    const wait = this.#paintedAt + FRAME - performance.now();
    setTimeout(() => requestAnimationFrame(() => this.isConnected && this.#paint()), wait);
  }

  #paint(): void {
    this.#due = false;
    this.#paintedAt = performance.now();
    const [condition, words] = [this.#condition, this.#words];
    const { phase, link, ended, moving } = condition;
    const sight = describe(this, condition, this.#extras?.find(condition, words), this.#refusal, words);
    const { states } = this.#internals;
    states.clear();
    for (const name of [phase, link, !ended && (moving ? "moving" : "halted")]) if (name) states.add(name);
    if (sight.percent === undefined && !ended) states.add("indeterminate");
    paint(this.#parts, sight, [...states, this.kind].join(" "));
    this.#extras?.paint(condition, sight, words);
    if (ended) clearInterval(this.#timer);
  }
}

// Two scripts of a page may bring one each.
if (!(globalThis as Here).customElements?.get("tailrace-progress")) {
  (globalThis as Here).customElements?.define("tailrace-progress", TailraceProgress);
}

declare global {
  interface HTMLElementTagNameMap {
    "tailrace-progress": TailraceProgress;
  }
}
