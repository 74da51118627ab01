/** `SSEProgressUI`, as pages that know no custom elements call it. */
import type { GetToken } from "./edges.ts";
import type { JobState } from "./job.ts";
import { TailraceProgress } from "./element/index.ts";

export interface ProgressOptions<Result = unknown> {
  /** The label; the job's own title by default. */
  title?: string;
  /** Called with the result of a job that is complete. */
  onComplete?: (result: Result) => void;
  /** Called with what went wrong: of a job that failed or was cancelled its last state. */
  onError?: (error: unknown) => void;
  /** Writes what happens to the console. */
  debug?: boolean;
  /** Where the element is put: an element, or a selector of one. The end of the page by default. */
  container?: Element | string;
  user?: string;
  src?: string;
  tenant?: string;
  getToken?: GetToken;
  cancelable?: boolean;
}

/** Puts a `<tailrace-progress>` on the page, which is the field `element`. */
export class SSEProgressUI<Result = unknown> {
  /** For all: `SSEProgressUI.defaults = { tenant: "acme" }`. */
  static defaults: ProgressOptions = {};
  readonly element: TailraceProgress = document.createElement("tailrace-progress");

  constructor(kind: "bar" | "gauge", jobId: string, options: ProgressOptions<Result> = {}) {
    const { title, container, onComplete, onError, debug, getToken, cancelable, ...rest } = {
      ...(SSEProgressUI.defaults as ProgressOptions<Result>),
      ...options,
    };
    const place = typeof container === "string" ? document.querySelector(container) : (container ?? document.body);
    if (!place) throw new Error(`container: nothing on the page is ${container as string}`);
    const { element } = this;
    const known = Object.entries(rest).filter(([name, value]) => ["user", "src", "tenant"].includes(name) && value);
    Object.assign(element, { kind, job: jobId, getToken, cancelable: !!cancelable }, Object.fromEntries(known));
    if (title) element.label = title;
    if (debug) {
      for (const type of ["tr-progress", "tr-link", "tr-end", "tr-error"]) {
        element.addEventListener(type, (event) => console.debug(type, jobId, (event as CustomEvent).detail));
      }
    }
    element.addEventListener("tr-end", ({ detail }: CustomEventInit<JobState<Result>>) => {
      if (detail?.status === "complete") onComplete?.(detail.result as Result);
      else onError?.(detail);
    });
    element.addEventListener("tr-error", ({ detail }: CustomEventInit) => onError?.(detail));
    place.append(element);
  }

  cancel(): Promise<void> {
    return this.element.cancel();
  }

  /** Takes the element off the page, and follows the job no more. */
  close(): void {
    this.element.remove();
  }
}

Object.assign(globalThis, { SSEProgressUI });
