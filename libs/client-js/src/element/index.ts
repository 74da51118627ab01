export { TailraceProgress } from "./element.ts";
export { judge, type Condition, type Phase } from "./phase.ts";
export type { Strings } from "./strings.ts";
