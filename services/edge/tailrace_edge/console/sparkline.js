/** Small charts of what happened in the last moments. */
import { h, svg } from "./dom.js";
import { decimal } from "./format.js";

const WIDTH = 240;
const HEIGHT = 40;

/**
 * @param {string} label what it shows
 */
export function makeSparkline(label) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const image = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    area,
    line,
  );
  const top = h("small", { "aria-hidden": "true" });
  return {
    element: h("div", { class: "spark" }, image, top),
    /** @param {number[]} values the newest one last */
    draw(values) {
      const highest = Math.max(1, ...values);
      const step = WIDTH / Math.max(1, values.length - 1);
      const points = values.map((value, index) => {
        const y = HEIGHT - 2 - (value / highest) * (HEIGHT - 6);
        return `${(index * step).toFixed(1)} ${y.toFixed(1)}`;
      });
      line.setAttribute("d", `M${points.join("L")}`);
      area.setAttribute("d", `M0 ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}Z`);
      const most = Math.max(...values);
      image.setAttribute("aria-label", `${label}: ${decimal(values.at(-1) ?? 0)} now, ${decimal(most)} at most`);
      top.textContent = most ? `peak ${decimal(most)}` : "";
    },
  };
}
