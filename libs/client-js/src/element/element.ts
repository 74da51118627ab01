import type { Client } from "../client.ts";
import type { GetToken } from "../edges.ts";
import type { Job, JobSnapshot, JobState } from "../job.ts";
import type { Link } from "../link.ts";
import { Announcer } from "./announcer.ts";
import { lease, type Lease } from "./clients.ts";
import { Estimate } from "./estimate.ts";
import { judge, type Condition, type Phase } from "./phase.ts";
import { describe, SHOWN } from "./sight.ts";
import { english, type Strings } from "./strings.ts";
import { View } from "./view.ts";
import { Words } from "./words.ts";

/** Milliseconds between two paints. */
const FRAME = 100;
/** Milliseconds between looks at the clock. */
const TICK = 1000;

const ATTRIBUTES = ["job", "user", "src", "tenant", "label", "kind", "show", "announce"] as const;
/** Those that say what is followed. */
const SOURCES = ["job", "user", "src", "tenant"];
const WAITING: JobSnapshot = { state: undefined, link: { state: "connecting", reconnects: 0 }, error: undefined };

// So that servers which render pages can import it.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

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

  #view: View;
  #announcer: Announcer;
  #internals: ElementInternals;
  #client: Pick<Client, "job"> | undefined;
  #getToken: GetToken | undefined;
  #strings: Partial<Strings> | undefined;

  // Of the job that is followed
  #lease: Lease | undefined;
  #job: Job | undefined;
  #leave: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #failure: unknown;
  #estimate = new Estimate();
  #asked = false;
  #refusal = "";
  #quarter = 0;
  #worth = "";

  #paintedAt = 0;
  #due = false;
  #stale = true;

  constructor() {
    super();
    this.#internals = this.attachInternals();
    this.#view = new View(this.attachShadow({ mode: "open" }), () => {
      if (this.dispatchEvent(new CustomEvent("tr-cancel", { bubbles: true, composed: true, cancelable: true }))) {
        this.cancel().catch(() => {}); // the element says so itself
      }
    });
    this.#announcer = new Announcer(this.#view.status);
  }

  /** In place of one that is made of `src`, `tenant` and `getToken`. */
  get client(): Pick<Client, "job"> | undefined {
    return this.#client;
  }
  set client(client: Pick<Client, "job"> | undefined) {
    this.#client = client;
    this.#restart();
  }

  /** Returns the token for each connection. Elements with the same function share a client. */
  get getToken(): GetToken | undefined {
    return this.#getToken;
  }
  set getToken(getToken: GetToken | undefined) {
    this.#getToken = getToken;
    this.#restart();
  }

  /** Words in place of those of the page's language. */
  get strings(): Partial<Strings> {
    return this.#strings ?? {};
  }
  set strings(strings: Partial<Strings>) {
    this.#strings = strings;
    this.#invalidate();
  }

  get cancelable(): boolean {
    return this.hasAttribute("cancelable");
  }
  set cancelable(cancelable: boolean) {
    this.toggleAttribute("cancelable", cancelable);
  }

  get snapshot(): JobSnapshot {
    const { snapshot } = this.#job ?? { snapshot: WAITING };
    return this.#failure === undefined ? snapshot : { ...snapshot, error: this.#failure };
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
    return this.#estimate.percent;
  }

  /** Seconds until the end; undefined while that means nothing. */
  get eta(): number | undefined {
    return this.#condition.moving ? this.#estimate.left(Date.now()) : undefined;
  }

  /** Asks the worker to stop. Rejects where nobody has heard that. */
  async cancel(): Promise<void> {
    if (!this.#job) throw new Error("no job is followed");
    this.#asked = true;
    this.#refusal = "";
    this.#invalidate();
    try {
      await this.#job.cancel();
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
    this.#lease?.client.authorize();
  }

  /** Resolves to the job's last state. */
  async finished(options?: { signal?: AbortSignal }): Promise<JobState> {
    if (!this.#job) throw this.#failure ?? new Error("no job is followed");
    return this.#job.finished(options);
  }

  connectedCallback(): void {
    // What was set before the element was known.
    for (const name of [...ATTRIBUTES, "client", "getToken", "strings", "cancelable"] as const) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
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

  get #condition(): Condition {
    return judge(this.snapshot, this.#asked);
  }

  get #words(): Words {
    const language = (this.closest("[lang]") as HTMLElement | null)?.lang ?? "";
    const { strings } = TailraceProgress;
    return new Words(language, { ...(strings[language] ?? strings[language.slice(0, 2)]), ...this.#strings });
  }

  #restart(): void {
    if (this.#stale) return;
    this.#stale = true;
    queueMicrotask(() => this.isConnected && this.#stale && this.#follow());
  }

  #follow(): void {
    this.#end();
    this.#stale = false;
    this.#estimate = new Estimate();
    this.#asked = false;
    this.#failure = undefined;
    this.#refusal = this.#worth = "";
    this.#quarter = 0;
    if (this.job) {
      try {
        this.#begin();
      } catch (error) {
        this.#failure = error;
      }
    }
    this.#paint();
  }

  #begin(): void {
    let client = this.#client ?? (this.src || this.tenant ? undefined : TailraceProgress.client);
    if (!client) {
      this.#lease = lease(this.src, this.tenant, this.#getToken);
      client = this.#lease.client;
    }
    const job = (this.#job = client.job(this.job, this.user ? { user: this.user } : {}));
    if (job.snapshot.state) this.#take(job.snapshot.state, false);
    this.#leave = [
      job.on("progress", (state) => {
        this.#take(state, job.snapshot.link.state === "live");
        this.#tell("tr-progress", state);
      }),
      job.on("link", (link) => this.#tell("tr-link", link)),
      job.on("end", (state) => this.#tell("tr-end", state)),
      job.on("error", (error) => this.#tell("tr-error", error)),
    ];
    this.#timer = setInterval(() => this.#invalidate(), TICK);
  }

  #end(): void {
    for (const leave of this.#leave) leave();
    this.#leave = [];
    clearInterval(this.#timer);
    this.#announcer.stop();
    this.#job = undefined;
    this.#lease?.release();
    this.#lease = undefined;
  }

  #take(state: JobState, live: boolean): void {
    this.#estimate.take(state, Date.now(), live);
    if (state.cancelling) this.#asked = false;
  }

  #tell(type: string, detail: unknown): void {
    this.#invalidate();
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
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
    const condition = this.#condition;
    const sight = describe({
      snapshot: this.snapshot,
      condition,
      estimate: this.#estimate,
      words: this.#words,
      now: Date.now(),
      label: this.label || this.state?.title || this.job,
      show: this.show || SHOWN,
      cancelable: this.cancelable,
      refusal: this.#refusal,
    });
    const { phase, link, ended, moving } = condition;
    const { states } = this.#internals;
    states.clear();
    for (const name of [phase, link, moving && "moving", !ended && !moving && "halted"]) if (name) states.add(name);
    if (sight.percent === undefined && !ended) states.add("indeterminate");
    this.#view.paint(sight);
    if (ended) clearInterval(this.#timer);
    this.#announce(condition, sight.texts);
  }

  #announce({ phase, link }: Condition, { label, value, error, ...texts }: Record<string, string | false | undefined>): void {
    const alert = this.#view.alert;
    if (error) {
      const text = `${label}: ${error}`;
      if (alert.textContent !== text) alert.textContent = text;
    }
    const quarter = Math.floor((this.percent ?? 0) / 25);
    const worth = [
      !["waiting", "running"].includes(phase) && texts["phase"],
      link && !["live", "connecting"].includes(link) && this.#words.say(link),
    ].filter(Boolean).join(", ");
    const passed = quarter > this.#quarter && (this.announce || "quarter") === "quarter";
    const changed = worth !== this.#worth;
    this.#quarter = Math.max(quarter, this.#quarter);
    if (changed && !worth && link === "connecting") return;
    this.#worth = worth;
    if (this.announce === "off" || !(passed || changed)) return;
    this.#announcer.say(`${label}: ${[value, worth || (changed && texts["link"])].filter(Boolean).join(", ")}`);
  }
}

for (const name of ATTRIBUTES) {
  Object.defineProperty(TailraceProgress.prototype, name, {
    get(this: Element) {
      return this.getAttribute(name) ?? "";
    },
    set(this: Element, value: string) {
      this.setAttribute(name, value);
    },
    enumerable: true,
    configurable: true,
  });
}

// Two scripts of a page may bring one each.
if (!globalThis.customElements?.get("tailrace-progress")) {
  globalThis.customElements?.define("tailrace-progress", TailraceProgress);
}

declare global {
  interface HTMLElementTagNameMap {
    "tailrace-progress": TailraceProgress;
  }
}
