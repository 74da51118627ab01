/** A list of which only what can be seen is in the document, however long it is. */
import { h, hold, perFrame } from "./dom.js";

const OVERSCAN = 4;

/**
 * @template T
 * @typedef {{length: number, at(index: number): T | undefined}} Rows
 */

/**
 * Where a row is drawn. `version` is that of the list when it was.
 *
 * @template T
 * @typedef {{node: HTMLElement, row: T | null, index: number, version: number}} Place
 */

/**
 * All rows have the same height, `--row` in CSS. Unless somebody has scrolled away from the end, the list follows it.
 *
 * @template {object} T
 */
export class VirtualList {
  /** @type {HTMLDivElement} */
  element;
  /** Whether the end is kept in sight. */
  following;
  /** @type {T | null} */
  selected = null;

  /** @type {Rows<T>} */
  #rows = [];
  #height = 0;
  #top = 0;
  #id;
  #spacer = h("div", { class: "list-space", role: "presentation" });
  /** @type {Place<T>[]} */
  #pool = [];
  #version = 0;
  #held = false;
  /** Rows gone at the front since the list was drawn. */
  #dropped = 0;
  #render;
  #onSelect;
  #onFollow;
  #draw = perFrame(() => this.#paint());

  /**
   * @param {object} options
   * @param {string} options.label of the list
   * @param {string} options.id of the list, the beginning of its rows'
   * @param {boolean} [options.follow] whether the end is kept in sight
   * @param {(node: HTMLElement, row: T) => void} options.render puts a row into a node that held another one
   * @param {(row: T | null) => void} options.onSelect
   * @param {(following: boolean) => void} [options.onFollow]
   */
  constructor({ label, id, follow = false, render, onSelect, onFollow = () => {} }) {
    this.#id = id;
    this.#render = render;
    this.#onSelect = onSelect;
    this.#onFollow = onFollow;
    this.following = follow;
    const follows = follow;
    this.element = h(
      "div",
      {
        class: "list",
        id,
        role: "listbox",
        tabindex: "0",
        "aria-label": label,
        on: {
          scroll: () => {
            // Rows come between a scroll and the news of it: only the way up is somebody's wish to stay.
            const { scrollTop } = this.element;
            if (follows && scrollTop < this.#top - 1) this.#follow(false);
            else if (follows && scrollTop > this.#top + 1 && this.#atEnd()) this.#follow(true);
            this.#top = scrollTop;
            this.#draw();
          },
          keydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
          click: (/** @type {MouseEvent} */ event) => this.#click(event),
        },
      },
      this.#spacer,
    );
    hold(
      this.element,
      ".row",
      () => (this.#held = true),
      () => {
        this.#held = false;
        this.#draw();
      },
    );
    new ResizeObserver(() => this.refresh()).observe(this.element);
  }

  /**
   * Shows rows, which may be the same ones as before with others behind them.
   *
   * @param {Rows<T>} rows
   * @param {number} [dropped] how many of them are gone at the front
   */
  show(rows, dropped = 0) {
    this.#rows = rows;
    this.#dropped += dropped;
    this.#draw();
  }

  /** Draws all rows anew: their height or what they hold has changed. */
  refresh() {
    this.#version++;
    this.#height = 0;
    this.#draw();
  }

  toEnd() {
    this.#follow(true);
    this.#draw();
  }

  /** @param {T | null} row */
  select(row) {
    this.selected = row;
    if (row !== null) this.#follow(false); // what somebody looks at stays where it is
    this.#onSelect(row);
    this.#draw();
  }

  /** @param {boolean} following */
  #follow(following) {
    if (following === this.following) return;
    this.following = following;
    this.#onFollow(following);
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    return scrollTop + clientHeight >= scrollHeight - this.#height;
  }

  #paint() {
    const { element } = this;
    if (!element.clientHeight || this.#held) return;
    this.#height ||= Number.parseFloat(getComputedStyle(element).getPropertyValue("--row")) || 28;
    if (this.#dropped && !this.following) element.scrollTop -= this.#dropped * this.#height;
    this.#dropped = 0;
    const { length } = this.#rows;
    const tall = `${length * this.#height}px`;
    if (this.#spacer.style.height !== tall) this.#spacer.style.height = tall;
    if (this.following) element.scrollTop = element.scrollHeight;
    this.#top = element.scrollTop;
    const first = Math.max(0, Math.floor(element.scrollTop / this.#height) - OVERSCAN);
    const last = Math.min(length, Math.ceil((element.scrollTop + element.clientHeight) / this.#height) + OVERSCAN);
    const wanted = Math.max(0, last - first);
    while (this.#pool.length < wanted) this.#pool.push(this.#make());
    while (this.#pool.length > wanted) this.#pool.pop()?.node.remove();
    this.#pool.forEach((each, offset) => this.#place(each, first + offset, length));
    const index = this.#pool.find((each) => each.row === this.selected && each.row !== null)?.index;
    if (index === undefined) element.removeAttribute("aria-activedescendant");
    else element.setAttribute("aria-activedescendant", `${this.#id}-${index}`);
  }

  #make() {
    const node = h("div", { class: "row", role: "option" });
    this.#spacer.append(node);
    return { node, row: null, index: -1, version: -1 };
  }

  /**
   * @param {Place<T>} place
   * @param {number} index
   * @param {number} length
   */
  #place(place, index, length) {
    const { node } = place;
    const row = /** @type {T} */ (this.#rows.at(index));
    if (place.index !== index) {
      place.index = index;
      node.id = `${this.#id}-${index}`;
      node.style.transform = `translateY(${index * this.#height}px)`;
      node.setAttribute("aria-posinset", String(index + 1));
      node.classList.toggle("odd", index % 2 === 1);
    }
    node.setAttribute("aria-setsize", String(length));
    node.setAttribute("aria-selected", String(row === this.selected));
    if (place.row !== row || place.version !== this.#version) {
      place.row = row;
      place.version = this.#version;
      this.#render(node, row);
    }
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const node = /** @type {Element} */ (event.target).closest(".row");
    const place = this.#pool.find((each) => each.node === node);
    if (place) this.select(place.row);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { length } = this.#rows;
    const page = Math.max(1, Math.floor(this.element.clientHeight / (this.#height || 28)) - 1);
    const at = this.#find();
    /** @type {Record<string, number>} */
    const to = {
      ArrowDown: at === -1 ? this.#firstSeen() : at + 1,
      ArrowUp: at === -1 ? this.#firstSeen() : at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: length - 1,
    };
    const wanted = to[event.key];
    if (wanted === undefined || !length) return;
    event.preventDefault();
    const index = Math.min(length - 1, Math.max(0, wanted));
    this.#show(index);
    this.select(this.#rows.at(index) ?? null);
    if (event.key === "End") this.toEnd();
  }

  #firstSeen() {
    return Math.ceil(this.element.scrollTop / (this.#height || 28));
  }

  /** Where the selected row is; most often near to what is seen. */
  #find() {
    const near = this.#pool.find((each) => each.row === this.selected);
    if (this.selected === null) return -1;
    if (near) return near.index;
    for (let index = 0; index < this.#rows.length; index++) if (this.#rows.at(index) === this.selected) return index;
    return -1;
  }

  /** @param {number} index */
  #show(index) {
    const { element } = this;
    const top = index * this.#height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + this.#height > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + this.#height - element.clientHeight;
    }
  }
}
