/** Which types of events are shown: the most common ones to choose from. */
import { fill, h, write } from "./dom.js";
import { compact, tone } from "./format.js";

const SHOWN = 8;

export class TypeFilter {
  element = h("div", { class: "types", role: "group", "aria-label": "Types" });

  /** None is all. @type {Set<string>} */
  #chosen = new Set();
  #names = "";
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {string} type */
  lets(type) {
    return !this.#chosen.size || this.#chosen.has(type);
  }

  /** @param {Map<string, number>} types how many events of each there were */
  draw(types) {
    const common = [...types].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
    for (const type of this.#chosen) if (!common.some(([each]) => each === type)) common.push([type, types.get(type) ?? 0]);
    common.sort((a, b) => a[0].localeCompare(b[0]));
    const names = common.map(([type]) => type).join();
    if (names !== this.#names) {
      this.#names = names;
      fill(this.element, common.map(([type]) => this.#make(type)));
    }
    for (const [type, number] of common) {
      const button = this.element.querySelector(`[data-type="${CSS.escape(type)}"]`);
      if (button) write(/** @type {Element} */ (button.querySelector("small")), compact(number));
    }
  }

  /** @param {string} type */
  #make(type) {
    const button = h(
      "button",
      {
        type: "button",
        class: "type-filter",
        "data-type": type,
        "aria-pressed": String(this.#chosen.has(type)),
        on: {
          click: () => {
            if (!this.#chosen.delete(type)) this.#chosen.add(type);
            button.setAttribute("aria-pressed", String(this.#chosen.has(type)));
            this.#onChange();
          },
        },
      },
      h("i", { "data-tone": tone(type), "aria-hidden": "true" }),
      type,
      h("small"),
    );
    return button;
  }
}
