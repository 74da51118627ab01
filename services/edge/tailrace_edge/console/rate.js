/** How many events a second were published, told from their own times: what is read anew is no burst. */

/** Seconds that are shown. */
export const SECONDS = 60;

export class Rate {
  /** By second. @type {Map<number, number>} */
  #counts = new Map();
  /** Seconds before the clearing from which on all is known; undefined for from the first event on. @type {number | undefined} */
  #span;
  #clearedAt = 0;
  /** How far the browser's clock is before that of the producers, the way here included: the least that was seen. */
  #ahead = Infinity;

  /** @param {string} time RFC 3339 */
  add(time) {
    const at = Date.parse(time);
    if (Number.isNaN(at)) return;
    this.#ahead = Math.min(this.#ahead, Date.now() - at);
    const second = Math.floor(at / 1000);
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + 1);
    if (this.#counts.size > 4 * SECONDS) this.#trim();
  }

  /**
   * Begins anew.
   *
   * @param {string} from where the reading does
   */
  clear(from) {
    this.#counts.clear();
    this.#clearedAt = Date.now();
    const [, number, unit = ""] = /^-(\d+)([smhd])$/.exec(from) ?? [];
    const length = { s: 1, m: 60, h: 3600, d: 86_400 }[unit] ?? 0;
    this.#span = from === "now" || from === "last" ? 0 : number === undefined ? undefined : Number(number) * length;
  }

  /**
   * Returns the counts of the last seconds that are over and of which all is known, the newest one last.
   *
   * @returns {import("./sparkline.js").Point[]}
   */
  read() {
    const now = this.#now();
    const since =
      this.#span === undefined
        ? Math.min(...this.#counts.keys())
        : Math.floor((this.#clearedAt - this.#offset()) / 1000) - this.#span;
    return Array.from({ length: SECONDS }, (_, index) => now - SECONDS + index)
      .filter((second) => second >= since)
      .map((second) => ({ ago: now - 1 - second, value: this.#counts.get(second) ?? 0 }));
  }

  #now() {
    return Math.floor((Date.now() - this.#offset()) / 1000);
  }

  #offset() {
    return Number.isFinite(this.#ahead) ? this.#ahead : 0;
  }

  #trim() {
    const oldest = this.#now() - SECONDS;
    for (const second of this.#counts.keys()) if (second < oldest) this.#counts.delete(second);
  }
}
