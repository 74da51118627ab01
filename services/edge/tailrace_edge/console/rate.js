/** How many events a second were published, told from their own times: what is read anew is no burst. */

/** Seconds that are shown. */
export const SECONDS = 60;

export class Rate {
  /** By second. @type {Map<number, number>} */
  #counts = new Map();
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

  clear() {
    this.#counts.clear();
  }

  /** Returns the counts of the last seconds that are over, the newest one last. */
  read() {
    const now = this.#now();
    return Array.from({ length: SECONDS }, (_, index) => this.#counts.get(now - SECONDS + index) ?? 0);
  }

  #now() {
    return Math.floor((Date.now() - (Number.isFinite(this.#ahead) ? this.#ahead : 0)) / 1000);
  }

  #trim() {
    const oldest = this.#now() - SECONDS;
    for (const second of this.#counts.keys()) if (second < oldest) this.#counts.delete(second);
  }
}
