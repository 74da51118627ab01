/** The looks. Set through a constructable stylesheet, which no content security policy forbids. */
export const css = `
:host {
  --_c: var(--tr-accent, light-dark(#0b7285, #4cc3d9));
  --_soft: var(--tr-soft, color-mix(in srgb, currentColor 72%, transparent));
  --_track: var(--tr-track, color-mix(in srgb, currentColor 13%, transparent));
  --_warn: var(--tr-warn, light-dark(#8f4e00, #f0b04f));
  --_bad: var(--tr-bad, light-dark(#b3261e, #ff8a80));
  display: block;
  line-height: 1.45;
  font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}
:host([hidden]), [hidden] { display: none !important }
:host(:state(complete)) { --_c: var(--tr-good, light-dark(#1c7c48, #5ccb8b)) }
:host(:is(:state(failed), :state(refused), :state(deleted))) { --_c: var(--_bad) }
:host(:is(:state(halted), :state(cancelled))) { --_c: var(--_soft) }
#base { display: grid; position: relative; gap: .4em 1em; grid-template-columns: 1fr auto; align-items: baseline }
#label { font-weight: 600 }
#value { font-weight: 600; grid-column: 2; justify-self: end; white-space: nowrap }
#bar, #facts { grid-column: 1 / -1 }
#bar {
  background: var(--_track);
  block-size: var(--tr-size, .625em);
  border-radius: var(--tr-radius, 1em);
  overflow: hidden;
}
#fill {
  background: var(--_c);
  block-size: 100%;
  border-radius: inherit;
  inline-size: calc(var(--_p, 0) * 1%);
  position: relative;
  transition: inline-size .25s;
}
svg { fill: none; stroke: currentColor; stroke-linecap: round; stroke-linejoin: round }
#arc { display: none; inline-size: 100%; stroke-width: 9 }
#arc > * { stroke: var(--_track) }
#arc > :last-child { stroke: var(--_c); opacity: var(--_p, 0); stroke-dasharray: calc(var(--_p, 0) * 1px) 200px; transition: stroke-dasharray .25s }
#facts { display: flex; flex-wrap: wrap; gap: .25em 1em }
#facts, #step, ol, ul { color: var(--_soft); margin: 0; padding: 0 }
#facts, #step, #error, ol, details, button { font-size: .875em }
#facts > *, li, summary { align-items: flex-start; display: inline-flex; gap: .4em }
.icon { block-size: 1em; margin-block-start: .225em; flex: none; inline-size: 1em; stroke-width: 2 }
#phase { color: var(--_c) }
:host(:is(:state(halted), :state(cancelled))) #phase { color: inherit }
:host(:state(live)) #link .icon { color: var(--tr-good, light-dark(#1c7c48, #5ccb8b)); stroke-width: 7 }
:host(:is(:state(stale), :state(offline), :state(unauthorized))) #link,
:host(:is(:state(worker-lost), :state(retrying))) #phase, summary { color: var(--_warn) }
#step { grid-column: 1 }
#error, ol, details { grid-column: 1 / -1 }
#error { color: var(--_bad) }
ol, ul { list-style: none }
li { display: flex }
summary { cursor: pointer }
button {
  background: none;
  border: 1px solid color-mix(in srgb, currentColor 55%, transparent);
  border-radius: .4em;
  color: inherit;
  cursor: pointer;
  font-family: inherit;
  grid-column: 2;
  justify-self: end;
  min-block-size: 24px;
  padding: .1em .8em;
}
button:hover { background: var(--_track) }
:focus-visible { outline: 2px solid var(--_c); outline-offset: 2px }
.unseen { block-size: 1px; clip-path: inset(50%); inline-size: 1px; overflow: hidden; position: absolute; white-space: nowrap }
:host(:state(indeterminate)) #fill { inline-size: 35%; transition: none }
:host(:state(indeterminate)) #arc > :last-child { opacity: 1; stroke-dasharray: 25px 200px }
:host(:state(halted)) #fill { background-image: repeating-linear-gradient(-45deg, #0000 0 4px, #8888 4px 8px) }
:host(:state(halted):state(indeterminate)) #fill { inline-size: 100%; opacity: .4 }
:host(:state(moving):state(indeterminate)) #fill { animation: slide 1.5s linear infinite }
:host(:state(moving):state(indeterminate)) #arc > :last-child { animation: pass 1.5s ease-in-out infinite alternate }
@keyframes slide { from { inset-inline-start: -35% } to { inset-inline-start: 100% } }
@keyframes pass { to { stroke-dashoffset: -75px } }
:host([kind=gauge]) { text-align: center }
:host([kind=gauge]) #base { grid-template-columns: 1fr; justify-items: center }
:host([kind=gauge]) :is(#bar, #value) { grid-area: 1 / 1 }
:host([kind=gauge]) #bar { background: none; block-size: auto; inline-size: var(--tr-size, 9em); border-radius: 0 }
:host([kind=gauge]) #fill { display: none }
:host([kind=gauge]) #arc { display: block }
:host([kind=gauge]) #value { align-self: center; justify-self: center; font-size: 1.6em }
:host([kind=gauge]) button { grid-column: 1; justify-self: center }
:host([kind=gauge]) :is(#facts, li) { justify-content: center }
:host([kind=gauge]:dir(rtl)) #arc { transform: scaleX(-1) }
@media (prefers-reduced-motion) {
  :host(:state(indeterminate)) :is(#fill, #arc > :last-child) { animation-duration: 8s !important }
}
@media (forced-colors: active) {
  :host { --_c: Highlight !important; --_track: Canvas !important }
  :host(:state(halted)) { --_c: GrayText !important }
  #bar { border: 1px solid }
  #fill { forced-color-adjust: none }
  #arc > :first-child { stroke: CanvasText; stroke-width: 2 }
  #phase, #link .icon { color: CanvasText !important }
  :host([kind=gauge]) #bar { border: 0 }
}
`;
