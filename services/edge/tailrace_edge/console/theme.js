/** Light, dark, or as the system has it. */
import { fill, icon } from "./dom.js";

const KEPT = "tailrace console theme";
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const ICONS = /** @type {const} */ ({ auto: "auto", light: "sun", dark: "moon" });

/** @param {HTMLElement} button */
export function makeTheme(button) {
  let theme = THEMES.find((each) => each === localStorage.getItem(KEPT)) ?? "auto";

  function apply() {
    document.documentElement.dataset.theme = theme;
    fill(button, icon(ICONS[theme]));
    const words = theme === "auto" ? "as the system has it" : theme;
    button.title = `Colours: ${words} (t)`;
    button.setAttribute("aria-label", `Colours: ${words}`);
  }

  function turn() {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
    localStorage.setItem(KEPT, theme);
    apply();
  }

  button.addEventListener("click", turn);
  apply();
  return turn;
}
