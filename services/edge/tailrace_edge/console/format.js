/** How things are written, for people and for shells. */
import { now } from "./clock.js";
import { h } from "./dom.js";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const brief = new Intl.DateTimeFormat(undefined, { month: "2-digit", day: "2-digit" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** @param {number | null | undefined} value */
export function count(value) {
  return value == null ? "–" : whole.format(value);
}

/** @param {number | null | undefined} value */
export function decimal(value) {
  return value == null ? "–" : Math.abs(value) >= 100 ? whole.format(value) : fine.format(value);
}

/** @param {number | null | undefined} value */
export function compact(value) {
  return value == null ? "–" : value < 10_000 ? whole.format(value) : short.format(value);
}

/**
 * @param {number} value
 * @param {string} word for one
 * @param {string} [more] after the number
 */
export function plural(value, word, more = "") {
  return `${compact(value)}${more} ${word}${value === 1 && !more ? "" : "s"}`;
}

/**
 * Never more than there is: what is not done is not 100 %.
 *
 * @param {number} percent
 */
export function percentText(percent) {
  return `${percent < 10 ? fine.format(Math.floor(percent * 10 + 1e-9) / 10) : Math.floor(percent)} %`;
}

/** @param {number} value */
export function bytes(value) {
  const steps = ["B", "KB", "MB", "GB", "TB"];
  let step = 0;
  while (value >= 1000 && step < steps.length - 1) {
    value /= 1000;
    step++;
  }
  return `${decimal(value)} ${steps[step] ?? ""}`;
}

/**
 * The time of a day, and the day if that is not today.
 *
 * @param {string} time RFC 3339
 */
export function timeOfDay(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return `${dayOf(date, full)}${clock.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/**
 * The same in 15 characters.
 *
 * @param {string} time RFC 3339
 */
export function shortTime(time) {
  const date = new Date(time);
  const day = Number.isNaN(date.getTime()) ? "" : dayOf(date, brief);
  return day ? day + clock.format(date) : timeOfDay(time);
}

/**
 * @param {Date} date
 * @param {Intl.DateTimeFormat} format
 */
function dayOf(date, format) {
  return date.toDateString() === new Date(now()).toDateString() ? "" : `${format.format(date)} `;
}

/**
 * A span of time in two units at most.
 *
 * @param {number} seconds
 */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 && s < 600 ? ` ${s % 60} s` : ""}`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/**
 * How long something took: more exactly than `span` where it was short.
 *
 * @param {number} seconds
 */
export function took(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  return seconds < 10 ? `${fine.format(seconds)} s` : span(seconds);
}

/** @param {string} time RFC 3339 */
export function ago(time) {
  const seconds = (now() - Date.parse(time)) / 1000;
  if (Number.isNaN(seconds)) return "";
  return seconds < 1 ? "now" : `${span(seconds)} ago`;
}

/** @param {string} text */
export function quoteShell(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * How urgent an event's type is, for its colour.
 *
 * @param {string} type
 */
export function tone(type) {
  if (type === "complete") return "good";
  if (type === "failed" || type === "error") return "bad";
  if (type === "warning" || type === "deleted") return "warn";
  if (type === "cancelled" || type === "log" || type === "token") return "mute";
  if (type === "start" || type === "progress") return "accent";
  return "plain";
}

/**
 * Returns what went wrong, in words.
 *
 * @param {unknown} error
 */
export function explain(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Returns JSON as lines of coloured text.
 *
 * @param {unknown} value
 */
export function json(value) {
  const text = JSON.stringify(value ?? null, null, 2);
  const code = h("code");
  const parts = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let end = 0;
  for (const found of text.matchAll(parts)) {
    code.append(text.slice(end, found.index));
    const [all, string, colon, word] = found;
    const kind = colon ? "key" : string ? "string" : word ? "word" : "number";
    code.append(h("span", { class: `json-${kind}` }, string ?? all));
    if (colon) code.append(colon);
    end = found.index + all.length;
  }
  code.append(text.slice(end));
  return h("pre", { class: "json", tabindex: "0", role: "region", "aria-label": "Data" }, code);
}
