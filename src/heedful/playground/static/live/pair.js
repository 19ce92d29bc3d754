/**
 * Which pair of words or pieces is chosen in the maps, as the server counts them.
 */

import { plain } from "heedful/numbers.js";
import { settled } from "heedful/views.js";
import { byPiece, byWord } from "heedful/words.js";

/**
 * What looks, and what is looked at. Words and pieces are counted from 0 along their sentence.
 * @typedef {{kind: string, row: number, column: number, words: boolean, from: string, to: string,
 *   reads?: string}} Pair
 */

/**
 * Return the chosen pair, null where a map has no such kind or no columns.
 *
 * A pair of which one is no word, such as `</s>`, is a pair of pieces in the view by words, too.
 * @param {any} trace
 * @param {any} asked - `state.view`.
 * @returns {Pair | null}
 */
export function pairOf(trace, asked) {
  const map = trace?.maps?.[asked?.kind];
  if (!map) return null;
  const { row, column, words, hide } = settled(trace.maps, asked);
  const groups = words ? byWord : byPiece;
  const columns = groups(map.keys).filter(({ special }) => !hide || !special);
  const [from, to] = [groups(map.queries)[row], columns[column]];
  if (!from || !to) return null;
  const both = words && from.word !== undefined && to.word !== undefined;
  const [looks, looked] = [from, to].map((one) => (both ? one.word : one.parts[0][0]));
  return {
    kind: asked.kind,
    row: looks,
    column: looked,
    words: Boolean(both),
    from: plain(from.text),
    to: plain(to.text),
    reads: from.reads === undefined ? undefined : plain(from.reads),
  };
}
