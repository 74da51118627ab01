/** Events that are held: the newest ones, within bounds. */

/**
 * @typedef {{kind: "event", n: number, id: string, topic: string, type: string, time: string, text: string}} EventRow
 * @typedef {{kind: "mark", n: number, tone: string, text: string, time: string}} MarkRow
 * @typedef {EventRow | MarkRow} Row
 */

export const MAX_ROWS = 20_000;
/** Characters of data that all rows hold together. */
export const MAX_CHARACTERS = 32_000_000;

/**
 * A list that grows at one end and shrinks at the other.
 *
 * @template T
 */
export class Deque {
  /** @type {T[]} */
  #items = [];
  #head = 0;

  get length() {
    return this.#items.length - this.#head;
  }

  /**
   * @param {number} index
   * @returns {T | undefined}
   */
  at(index) {
    return this.#items[this.#head + index];
  }

  /** @param {T} item */
  push(item) {
    this.#items.push(item);
  }

  /** @returns {T | undefined} */
  shift() {
    if (!this.length) return undefined;
    const item = this.#items[this.#head];
    // Held by nobody from here on; the places are given back once they are the larger half.
    this.#items[this.#head++] = /** @type {any} */ (undefined);
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear() {
    this.#items = [];
    this.#head = 0;
  }

  *[Symbol.iterator]() {
    for (let index = this.#head; index < this.#items.length; index++) yield /** @type {T} */ (this.#items[index]);
  }
}

export class Store {
  /** Events that came, dropped ones included. */
  total = 0;
  /** Of these, those that are still here. */
  held = 0;
  /** By type. @type {Map<string, number>} */
  types = new Map();
  /** Of `held`, those that the filter lets through. */
  passed = 0;
  /** Rows that the filter lets through. @type {Deque<Row>} */
  shown = new Deque();
  /** Of `shown`, dropped since somebody looked. */
  dropped = 0;

  /** @type {Deque<Row>} */
  #rows = new Deque();
  #characters = 0;
  #number = 0;
  /** @type {(row: EventRow) => boolean} */
  #lets = () => true;

  /** @param {import("./tailrace.js").TailraceEvent} event */
  add({ id, topic, type, time, data }) {
    this.total++;
    this.types.set(type, (this.types.get(type) ?? 0) + 1);
    this.#push({ kind: "event", n: this.#number++, id, topic, type, time, text: JSON.stringify(data ?? null) });
  }

  /**
   * Adds a line about the stream itself, which no filter hides; its words may change later.
   *
   * @param {string} tone
   * @param {string} text
   * @returns {MarkRow}
   */
  mark(tone, text) {
    /** @type {MarkRow} */
    const row = { kind: "mark", n: this.#number++, tone, text, time: new Date().toISOString() };
    this.#push(row);
    return row;
  }

  /** @param {(row: EventRow) => boolean} lets */
  filter(lets) {
    this.#lets = lets;
    this.shown.clear();
    this.dropped = this.passed = 0;
    for (const row of this.#rows) this.#show(row);
  }

  clear() {
    this.#rows.clear();
    this.shown.clear();
    this.types.clear();
    this.#characters = this.total = this.held = this.passed = this.dropped = 0;
  }

  /** @param {Row} row */
  #show(row) {
    const event = row.kind === "event";
    if (event && !this.#lets(row)) return;
    this.shown.push(row);
    if (event) this.passed++;
  }

  /** @param {Row} row */
  #push(row) {
    this.#rows.push(row);
    this.#characters += row.text.length;
    if (row.kind === "event") this.held++;
    this.#show(row);
    while (this.#rows.length > MAX_ROWS || (this.#characters > MAX_CHARACTERS && this.#rows.length > 1)) {
      const oldest = /** @type {Row} */ (this.#rows.shift());
      this.#characters -= oldest.text.length;
      if (oldest.kind === "event") this.held--;
      if (this.shown.at(0) === oldest) {
        this.shown.shift();
        this.dropped++;
        if (oldest.kind === "event") this.passed--;
      }
    }
  }
}
