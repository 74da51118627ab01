/** Small charts of what happened in the last moments. */
import { h, svg, write } from "./dom.js";
import { decimal } from "./format.js";

const WIDTH = 240;
const HEIGHT = 40;

/** @typedef {{ago: number, value: number}} Point `ago` in seconds */

/**
 * @param {object} options
 * @param {string} options.label what it shows, with its unit
 * @param {string} options.short the same, where there is little room
 * @param {number} options.seconds that it shows
 * @param {number} options.every so many seconds there is a point; where none came for longer, nothing is known
 */
export function makeSparkline({ label, short, seconds, every }) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const image = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    area,
    line,
  );
  const peak = h("span");
  const title = h("small", { "aria-hidden": "true", title: label }, h("span", { class: "what" }, short), peak);
  return {
    element: h("div", { class: "spark" }, image, title),
    /** @param {Point[]} points the newest one last */
    draw(points) {
      const shown = points.filter(({ ago }) => ago <= seconds);
      const most = shown.reduce((high, { value }) => Math.max(high, value), 0);
      const place = (/** @type {Point} */ { ago, value }) => {
        const y = HEIGHT - 2 - (value / Math.max(1, most)) * (HEIGHT - 6);
        return `${((1 - ago / seconds) * WIDTH).toFixed(1)} ${y.toFixed(1)}`;
      };
      const runs = split(shown, 2.5 * every).map((run) => run.map(place));
      line.setAttribute("d", runs.map((run) => `M${run.join("L")}`).join(""));
      area.setAttribute("d", runs.map((run) => `M${foot(run[0])}L${run.join("L")}L${foot(run.at(-1))}Z`).join(""));
      const known = shown.at(-1);
      image.setAttribute("aria-label", known ? `${label}: ${decimal(known.value)} now, ${decimal(most)} at most` : `${label}: not known yet`);
      write(peak, known ? `peak ${decimal(most)}` : "");
    },
  };
}

/**
 * @param {Point[]} points
 * @param {number} gap seconds
 * @returns {Point[][]}
 */
function split(points, gap) {
  /** @type {Point[][]} */
  const runs = [];
  let before = Infinity;
  for (const point of points) {
    if (before - point.ago > gap) runs.push([]);
    runs.at(-1)?.push(point);
    before = point.ago;
  }
  return runs;
}

/** @param {string} [point] */
function foot(point = "") {
  return point.replace(/ .*/, ` ${HEIGHT}`);
}
