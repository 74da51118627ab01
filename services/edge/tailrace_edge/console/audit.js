/** Whether what came after a cut is what the log holds: nothing lost, nothing twice. */

/**
 * @typedef {object} Comparison
 * @property {number} checked events that both have seen
 * @property {number} lost
 * @property {number} twice
 */

/** Events that are compared, the first ones after the cut. */
export const COMPARED = 1000;

/** Milliseconds that what was missed may take to come in. */
const WAIT = 1500;

/**
 * @param {import("./session.js").Session} session
 * @param {string[]} topics
 * @param {string} cursor before the cut
 * @param {import("./feed.js").Cut} cut whose `ids` grow meanwhile
 * @returns {Promise<Comparison | null>} null where nothing can be said
 */
export async function compareWithLog(session, topics, cursor, cut) {
  await new Promise((resolve) => setTimeout(resolve, WAIT));
  const query = /** @type {[string, string][]} */ (topics.map((topic) => ["topic", topic]));
  query.push(["from", cursor], ["limit", String(COMPARED)]);
  /** @type {{events: {id: string}[], gap: unknown}} */
  const stored = await session.call("history", { query });
  // What follows may still be on its way, on either side.
  return stored.gap ? null : compare(stored.events.map((event) => event.id), cut.ids);
}

/**
 * Compares what is stored with what came, as far as both reach.
 *
 * @param {string[]} stored in order
 * @param {string[]} came in order
 * @returns {Comparison}
 */
export function compare(stored, came) {
  const known = new Set(stored);
  const seen = new Set(came);
  const reached = came.findLast((id) => known.has(id));
  const expected = reached === undefined ? [] : stored.slice(0, stored.lastIndexOf(reached) + 1);
  return {
    checked: expected.length,
    lost: expected.filter((id) => !seen.has(id)).length,
    twice: came.length - seen.size,
  };
}
