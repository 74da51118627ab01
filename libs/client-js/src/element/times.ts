/** Rates and times in words, as finely as anybody knows them. */
import type { Words } from "./words.ts";

type Unit = "day" | "hour" | "minute" | "second";

/** Seconds of the units that times are given in, and how finely they are rounded. */
const UNITS: readonly [unit: Unit, seconds: number, step: number][] = [
  ["day", 86400, 0.5],
  ["hour", 3600, 0.5],
  ["minute", 60, 1],
  ["second", 1, 10],
];

export function tellRate(words: Words, perSecond: number): string {
  const slow = perSecond < 0.1;
  return words.say(slow ? "slow" : "rate", words.number(slow ? perSecond * 60 : perSecond));
}

/** Returns a time to come, rounded: `2 min`. */
export function tellDuration(words: Words, seconds: number): string {
  const [unit, value, step] = round(seconds);
  return words.number(value || step, { style: "unit", unit });
}

/** Returns a time gone by, rounded: `2 min. ago`. */
export function tellAgo({ language }: Words, seconds: number): string {
  const [unit, value] = round(seconds);
  return new Intl.RelativeTimeFormat(language, { style: "short", numeric: "auto" }).format(-value, unit);
}

function round(seconds: number): [unit: Unit, value: number, step: number] {
  const [unit, size, step] = UNITS.find(([, size]) => seconds >= size * 0.9) ?? UNITS[3]!;
  return [unit, Math.round(seconds / size / step) * step, step];
}
