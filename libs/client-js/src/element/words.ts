/** Numbers and strings in one language. */
import { english, type Strings } from "./strings.ts";

const formats: Record<string, Intl.NumberFormat> = {};

export class Words {
  /** Undefined is the browser's own. */
  readonly language: string | undefined;
  #strings: Strings;

  constructor(language: string | undefined, strings: Partial<Strings> | undefined) {
    this.language = language || undefined;
    this.#strings = { ...english, ...strings };
  }

  say(name: keyof Strings, ...values: string[]): string {
    return this.#strings[name].replace(/\{\}/g, () => values.shift() ?? "");
  }

  number(value: number, options?: Intl.NumberFormatOptions): string {
    const all = { maximumFractionDigits: value < 10 ? 1 : 0, ...options };
    return (formats[String(this.language) + JSON.stringify(all)] ??= new Intl.NumberFormat(this.language, all)).format(value);
  }

  /** Percent are rounded down: 100 is only what is done. */
  percent(value: number): string {
    return this.number(Math.floor(value) / 100, { style: "percent" });
  }
}
