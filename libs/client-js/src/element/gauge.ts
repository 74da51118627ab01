/** The arc of `kind="gauge"`, with its looks. */
import { draw } from "./icons.ts";
import type { Parts } from "./view.ts";

const ARC = "M20.3 81.7A42 42 0 1179.7 81.7";
export const gaugeCss = `
#base.gauge { grid-template-columns: 1fr; justify-items: center; text-align: center }
#base.gauge > * { grid-column: 1; justify-self: center }
#base.gauge > :is(#bar, #value) { grid-row: 1; align-self: center }
.gauge #bar { background: none; border: 0; border-radius: 0; height: auto; width: var(--tr-size, 9em) }
.gauge #value { font-size: 1.6em }
.gauge :is(#facts, li) { justify-content: center }
.gauge #facts > * { text-align: start }
.gauge #fill, #arc { display: none }
.gauge #arc { display: block; width: 100%; height: auto; margin: 0; stroke-width: 9 }
.gauge:dir(rtl) #arc { transform: scaleX(-1) }
#arc > * { stroke: var(--_track) }
#arc > :last-child { stroke: var(--_c); opacity: var(--_p); stroke-dasharray: calc(var(--_p) * 1px) 200px; transition: stroke-dasharray .25s }
.indeterminate #arc > :last-child { opacity: 1; stroke-dasharray: 25px 200px }
.halted #arc { mask-image: repeating-linear-gradient(-45deg, #000 0 4px, #0006 4px 8px) }
.halted.indeterminate #arc > :last-child { opacity: .4; stroke-dasharray: none }
.moving.indeterminate #arc > :last-child { animation: pass 1.5s ease-in-out infinite alternate }
@keyframes pass { to { stroke-dashoffset: -75px } }
@media (prefers-reduced-motion) { #arc > :last-child { animation-duration: 8s !important } }
@media (forced-colors: active) { #arc > :first-child { stroke: CanvasText; stroke-width: 2 } }
`;

export function paintGauge({ base, bar }: Parts): void {
  if (!base.matches(".gauge") || bar.querySelector("#arc")) return;
  const arc = draw("0 0 100 88", ARC, ARC);
  arc.id = "arc";
  arc.setAttribute("part", "arc");
  for (const path of arc.children) path.setAttribute("pathLength", "100");
  bar.append(arc);
}
