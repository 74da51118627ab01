/** Puts elements in order without touching those that keep their place: focus and held clicks stay with them. */

/**
 * Makes `nodes` the children of an element.
 *
 * @param {Element} parent
 * @param {HTMLElement[]} nodes
 */
export function place(parent, nodes) {
  const active = document.activeElement;
  const wanted = new Set(/** @type {Node[]} */ (nodes));
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  const staying = findStaying(parent, nodes);
  /** @type {HTMLElement | null} */
  let next = null;
  for (const node of nodes.toReversed()) {
    if (!staying.has(node)) parent.insertBefore(node, next);
    next = node;
  }
  if (active instanceof HTMLElement && active !== document.activeElement && active.isConnected) active.focus({ preventScroll: true });
}

/**
 * Returns as many as possible of the nodes that are in the right order already: the longest rising run of places.
 *
 * @param {Element} parent
 * @param {HTMLElement[]} nodes
 */
function findStaying(parent, nodes) {
  const places = new Map([...parent.children].map((child, index) => [child, index]));
  /** @typedef {{node: HTMLElement, at: number, before: Run | undefined}} Run */
  /** By length of a run, its last node. @type {Run[]} */
  const ends = [];
  for (const node of nodes) {
    const at = places.get(node);
    if (at === undefined) continue;
    let length = ends.length;
    while (length > 0 && /** @type {{at: number}} */ (ends[length - 1]).at > at) length--;
    ends[length] = { node, at, before: ends[length - 1] };
  }
  const staying = new Set();
  for (let end = ends.at(-1); end; end = end.before) staying.add(end.node);
  return staying;
}
