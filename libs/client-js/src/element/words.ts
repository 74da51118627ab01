/** Numbers, times and strings in one language. */
import { english, type Strings } from "./strings.ts";

/** Seconds of the units that times are given in, and how finely they are rounded: nobody knows better. */
const UNITS: readonly [unit: "hour" | "minute" | "second", seconds: number, step: number][] = [
  ["hour", 3600, 0.5],
  ["minute", 60, 1],
  ["second", 1, 10],
];
const formats: Record<string, Intl.NumberFormat | Intl.RelativeTimeFormat> = {};

export class Words {
  #language: string | undefined;
  #strings: Strings;

  /** @param language undefined for the browser's own. */
  constructor(language: string | undefined, strings: Partial<Strings> | undefined) {
    this.#language = language || undefined;
    this.#strings = { ...english, ...strings };
  }

  say(name: keyof Strings, ...values: string[]): string {
    return this.#strings[name].replace(/\{\}/g, () => values.shift() ?? "");
  }

  number(value: number, options?: Intl.NumberFormatOptions): string {
    return this.#find("NumberFormat", { maximumFractionDigits: value < 10 ? 1 : 0, ...options }).format(value);
  }

  /** Percent are rounded down: 100 is only what is done. */
  percent(value: number): string {
    return this.number(Math.floor(value) / 100, { style: "percent" });
  }

  rate(perSecond: number): string {
    const slow = perSecond < 0.1;
    return this.say(slow ? "slow" : "rate", this.number(slow ? perSecond * 60 : perSecond));
  }

  /** Returns a time to come, rounded: `2 min`. */
  duration(seconds: number): string {
    const [unit, value, step] = round(seconds);
    return this.number(value || step, { style: "unit", unit });
  }

  /** Returns a time gone by, rounded: `2 min. ago`. */
  ago(seconds: number): string {
    const [unit, value] = round(seconds);
    return this.#find("RelativeTimeFormat", { style: "short", numeric: "auto" }).format(-value, unit);
  }

  #find<Kind extends "NumberFormat" | "RelativeTimeFormat">(kind: Kind, options: object): InstanceType<(typeof Intl)[Kind]> {
    const key = kind + this.#language + JSON.stringify(options);
    return (formats[key] ??= new Intl[kind](this.#language, options)) as InstanceType<(typeof Intl)[Kind]>;
  }
}

function round(seconds: number): [unit: "hour" | "minute" | "second", value: number, step: number] {
  const [unit, size, step] = UNITS.find(([, size]) => seconds >= size * 0.9) ?? UNITS[2]!;
  return [unit, Math.round(seconds / size / step) * step, step];
}
