/**
 * Which head looks elsewhere in another trace.
 */

import { KINDS } from "heedful/numbers.js";
import { weightsOfHead } from "heedful/wire.js";

/**
 * Return the head whose map differs most, of those whose pieces are the same; null: there are none.
 *
 * `share` is how much of a row's weight lies elsewhere, in the mean: half of the sum of what the
 * weights differ by.
 * @param {Record<string, import("heedful/wire.js").AttentionMap>} one
 * @param {Record<string, import("heedful/wire.js").AttentionMap>} other
 * @returns {{kind: string, layer: number, head: number, share: number} | null}
 */
export function mostMoved(one, other) {
  const same = KINDS.filter((kind) => alike(one[kind], other[kind]));
  const every = same.flatMap((kind) =>
    Array.from({ length: one[kind].layers * one[kind].heads }, (_, place) => {
      const [layer, head] = [Math.floor(place / one[kind].heads), place % one[kind].heads];
      return { kind, layer, head, share: apart(one[kind], other[kind], layer, head) };
    }),
  );
  every.sort((a, b) => b.share - a.share);
  return every[0] ?? null;
}

/** Whether two maps have the same pieces on both sides. */
function alike(one, other) {
  const pieces = ({ queries, keys }) => JSON.stringify([queries.tokens, keys.tokens]);
  return Boolean(one && other) && pieces(one) === pieces(other);
}

function apart(one, other, layer, head) {
  const [first, second] = [one, other].map((map) => weightsOfHead(map, layer, head));
  const sum = first.reduce((all, weight, place) => all + Math.abs(weight - second[place]), 0);
  return sum / 2 / one.queries.tokens.length;
}
