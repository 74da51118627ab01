/** What is wrong with a topic or pattern, before an edge says so. */

const MAX_TOKENS = 16;
const MAX_BYTES = 200;
/** What no token may hold; in a topic, `quoteToken` writes it in another way. */
const FORBIDDEN = /[*>\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Z}]|%(?![0-9A-F]{2})/u;

/**
 * Returns what is wrong with a pattern, or nothing.
 *
 * @param {string} pattern
 */
export function findFault(pattern) {
  const tokens = pattern.split(".");
  const size = new TextEncoder().encode(pattern).length;
  const bad = tokens.find((token) => token !== "*" && token !== ">" && FORBIDDEN.test(token));
  if (tokens.includes("")) return `“${pattern}” has an empty token: no dot first, last, or after another dot.`;
  if (tokens.slice(0, -1).includes(">")) return `“${pattern}” has a > before its end; * is one token.`;
  if (bad !== undefined) return `“${pattern}” has “${bad}”: a token is * or > alone, or without these, spaces and a lone %.`;
  if (tokens.length > MAX_TOKENS) return `“${pattern}” has ${tokens.length} tokens, ${MAX_TOKENS} are allowed.`;
  if (size > MAX_BYTES) return `“${pattern}” has ${size} bytes, ${MAX_BYTES} are allowed.`;
  return "";
}
