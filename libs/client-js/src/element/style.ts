/** The looks. Set through constructable stylesheets, which no content security policy forbids. */
const sheets: Record<string, CSSStyleSheet> = {};

/** Adds a style sheet. All roots share it. */
export function addStyle(root: ShadowRoot, css: string): void {
  if (!sheets[css]) (sheets[css] = new CSSStyleSheet()).replaceSync(css);
  root.adoptedStyleSheets.push(sheets[css]);
}

/** `#base` has the element's states and kind as its classes: those are shorter to ask for. */
export const css = `
:host {
--_c: var(--tr-accent, light-dark(#0b7285, #4cc3d9));
--_good: var(--tr-good, light-dark(#1c7c48, #5ccb8b));
--_warn: var(--tr-warn, light-dark(#8f4e00, #f0b04f));
--_bad: var(--tr-bad, light-dark(#b3261e, #ff8a80));
--_soft: var(--tr-soft, color-mix(in srgb, currentColor 72%, #0000));
--_track: var(--tr-track, color-mix(in srgb, currentColor 13%, #0000));
display: block;
line-height: 1.45;
font-variant-numeric: tabular-nums;
overflow-wrap: anywhere
}
:host([hidden]), [hidden] { display: none !important }
.complete { --_c: var(--_good) }
.failed, .refused, .deleted { --_c: var(--_bad) }
.halted, .cancelled { --_c: var(--_soft) }
#base { display: grid; position: relative; gap: .4em 1em; grid-template-columns: 1fr auto; align-items: baseline }
* { grid-column: 1/-1 }
#label, #step { grid-column: 1 }
#label, #value { font-weight: 600 }
#value { grid-column: 2; justify-self: end; white-space: nowrap }
#bar { background: var(--_track); height: var(--tr-size, .625em); border-radius: var(--tr-radius, 1em); overflow: hidden }
#fill { background: var(--_c); height: 100%; border-radius: inherit; width: calc(var(--_p) * 1%) }
#facts { display: flex; flex-wrap: wrap; gap: .25em 1em }
#phase, #link { padding-inline-start: 1.4em }
#facts, #step { color: var(--_soft) }
#facts, #step, #error { font-size: .875em }
#error { color: var(--_bad) }
#phase { color: var(--_c) }
:is(.halted, .cancelled) #phase { color: inherit }
:is(.stale, .offline, .unauthorized) #link, :is(.worker-lost, .retrying) #phase { color: var(--_warn) }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.halted #fill { background-image: repeating-linear-gradient(-45deg, #0000 0 4px, #8888 4px 8px) }
.halted.indeterminate #fill { width: 100%; opacity: .4 }
@media (forced-colors: active) {
#base { --_c: Highlight; --_track: Canvas }
#base.halted { --_c: GrayText }
#bar { border: 1px solid }
#fill { forced-color-adjust: none }
#phase, #link svg { color: CanvasText !important }
}
`;
