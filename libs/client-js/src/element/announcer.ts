/** Milliseconds between two announcements: who listens wants to work meanwhile. */
const PAUSE = 10_000;

/** Says things to those who do not look: in a live region, the newest word at most every 10 s. */
export class Announcer {
  #region: HTMLElement;
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(region: HTMLElement) {
    this.#region = region;
  }

  say(text: string): void {
    this.stop();
    this.#timer = setTimeout(
      () => {
        this.#next = Date.now() + PAUSE;
        this.#region.textContent = text;
      },
      Math.max(0, this.#next - Date.now()),
    );
  }

  /** What is not said yet remains unsaid. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
