/** The life of the page that streams live in. Outside of browsers nothing happens here. */
import { TailraceError } from "./errors.ts";
import type { Here } from "./here.ts";

/** Who is told of it. */
export interface Member {
  /** Close what is open and come back on `resume`: the page is left, frozen, or was hidden for long. */
  freeze(reason: string): void;
  /** The page is seen again: besides, do as if the network were back. */
  resume(): void;
  /** The network is back: do not wait for long, and look whether what is open is alive. */
  online(): void;
  /** The browser has lost its network. */
  offline(): void;
  /** Somebody may have signed in. */
  authorize(): void;
  /** The page may be gone in a moment. */
  save?: () => void;
  /** Nothing is wanted any more. */
  stop(): void;
}

/** What members are told when something happens to the page; of one that is hidden, to save. */
const TOLD = {
  online: "online",
  offline: "offline",
  // Whether the page is kept for going back is known to nobody now, and what is open might prevent it.
  pagehide: "freeze",
  freeze: "freeze",
  pageshow: "resume",
  resume: "resume",
  visibilitychange: "resume",
} as const;

export class Page {
  #disposed: AbortSignal;
  #closeAfter: number | undefined;
  #members = new Set<Member>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param closeAfter milliseconds that a page may be hidden before its streams are closed; undefined keeps them. */
  constructor(disposed: AbortSignal, closeAfter: number | undefined) {
    this.#disposed = disposed;
    this.#closeAfter = closeAfter;
  }

  /** Tells a member from now on, which is none yet. There are listeners while there are members. */
  add(member: Member): void {
    this.#disposed.throwIfAborted();
    if (this.#members.has(member)) throw new TailraceError("invalid", "read twice");
    if (!this.#members.size) this.#listen("addEventListener");
    this.#members.add(member);
    this.#mind();
  }

  delete(member: Member): void {
    this.#members.delete(member);
    if (!this.#members.size) this.#listen("removeEventListener");
    this.#mind();
  }

  /** Tells all members. */
  tell(what: keyof Member, reason?: string): void {
    for (const member of [...this.#members]) member[what]?.(reason as string);
  }

  handleEvent({ type }: Event): void {
    const hides = type === "visibilitychange" && document.hidden;
    this.tell(hides ? "save" : TOLD[type as keyof typeof TOLD], type);
    this.#mind();
  }

  #mind(): void {
    if (this.#closeAfter !== undefined && this.#members.size && (globalThis as Here).document?.hidden) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.tell("freeze", "hidden");
      }, this.#closeAfter);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  #listen(what: "addEventListener" | "removeEventListener"): void {
    // Capturing, since some of them happen to the document and do not bubble.
    for (const type in TOLD) (globalThis as Here)[what]?.(type, this, true);
  }
}
