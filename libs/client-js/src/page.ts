/** The life of the page that streams live in. Outside of browsers nothing happens here. */

/** Who is told of it. */
export interface Member {
  /** Close what is open and come back on `resume`: the page is left, frozen, or was hidden for long. */
  suspend(reason: string): void;
  /** The page is seen again: besides, do as if it were woken. */
  resume(): void;
  /** The network is back: do not wait for long, and look whether what is open is alive. */
  wake(): void;
  /** The browser has lost its network. */
  offline(): void;
  /** Somebody may have signed in. */
  authorize(): void;
  /** The page may be gone in a moment. */
  save?(): void;
  /** Nothing is wanted any more. */
  stop(): void;
}

const EVENTS = ["online", "offline", "visibilitychange", "pagehide", "pageshow", "freeze", "resume"];

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

  /** Tells a member from now on. There are listeners while there are members. */
  add(member: Member): void {
    this.#disposed.throwIfAborted();
    if (!this.#members.size) this.#listen("addEventListener");
    this.#members.add(member);
    this.#mind();
  }

  delete(member: Member): void {
    if (!this.#members.delete(member) || this.#members.size) return;
    this.#unmind();
    this.#listen("removeEventListener");
  }

  /** Tells all members. */
  tell(what: keyof Member, reason = ""): void {
    for (const member of [...this.#members]) member[what]?.(reason);
  }

  handleEvent({ type }: Event): void {
    if (type === "online") this.tell("wake");
    else if (type === "offline") this.tell("offline");
    // Whether the page is kept for going back is known to nobody now, and what is open might prevent it.
    else if (type === "pagehide" || type === "freeze") this.#suspend(type);
    else if (type === "visibilitychange" && document.hidden) {
      this.tell("save");
      this.#mind();
    } else {
      this.#unmind();
      this.tell("resume");
    }
  }

  #mind(): void {
    if (this.#closeAfter === undefined || !globalThis.document?.hidden) return;
    this.#timer ??= setTimeout(() => {
      this.#unmind();
      this.#suspend("hidden");
    }, this.#closeAfter);
  }

  #unmind(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #suspend(reason: string): void {
    this.tell("save");
    this.tell("suspend", reason);
  }

  #listen(what: "addEventListener" | "removeEventListener"): void {
    // Capturing, since some of them happen to the document and do not bubble.
    for (const type of EVENTS) globalThis[what]?.(type, this, true);
  }
}
