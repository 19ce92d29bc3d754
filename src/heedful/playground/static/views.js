/**
 * What is drawn of a head: its map by pieces or by words, with or without what is no word.
 */

import { busiestHead, weightsOfHead } from "heedful/wire.js";
import { byPiece, byWord, groupOf } from "heedful/words.js";

/**
 * @typedef {object} View
 * @property {string} kind
 * @property {number} layer
 * @property {number} head
 * @property {boolean} exact
 * @property {boolean} renormalised - Whether what is no word was taken from the columns.
 * @property {import("heedful/words.js").Group[]} rows
 * @property {import("heedful/words.js").Group[]} columns
 * @property {Float64Array} weights - Row by row.
 * @property {Float64Array} hidden - Of each row, what goes to columns that are no words.
 */

/**
 * Return the view of a head. A word gets the sum over its pieces and gives their mean.
 * @param {import("heedful/wire.js").AttentionMap} map
 * @param {{layer: number, head: number, words: boolean, hide: boolean}} asked
 * @returns {View}
 */
export function view(map, { layer, head, words, hide }) {
  const groups = words ? byWord : byPiece;
  const rows = groups(map.queries);
  const every = groups(map.keys);
  const weights = gathered(map, layer, head, rows, every);
  const hidden = new Float64Array(rows.length);
  const rest = new Float64Array(rows.length);
  rows.forEach((_, row) =>
    every.forEach((column, place) => {
      (column.special ? hidden : rest)[row] += weights[row * every.length + place];
    }),
  );
  const shown = { kind: map.kind, layer, head, exact: map.exact, renormalised: hide, rows, hidden };
  if (!hide) return { ...shown, columns: every, weights };
  const kept = every.map((_, place) => place).filter((place) => !every[place].special);
  const divided = new Float64Array(rows.length * kept.length);
  rows.forEach((_, row) =>
    kept.forEach((place, column) => {
      const weight = weights[row * every.length + place];
      divided[row * kept.length + column] = rest[row] > 1e-9 ? weight / rest[row] : 0;
    }),
  );
  return { ...shown, columns: kept.map((place) => every[place]), weights: divided };
}

function gathered(map, layer, head, rows, columns) {
  const weights = weightsOfHead(map, layer, head);
  const width = map.keys.tokens.length;
  const found = new Float64Array(rows.length * columns.length);
  rows.forEach((row, place) => {
    const total = row.parts.reduce((sum, [, share]) => sum + share, 0);
    columns.forEach((column, at) => {
      let sum = 0;
      for (const [query, part] of row.parts) {
        for (const [key, share] of column.parts) sum += part * share * weights[query * width + key];
      }
      found[place * columns.length + at] = sum / total;
    });
  });
  return found;
}

/**
 * Return the weights of a row.
 * @param {View} shown
 * @param {number} row
 * @returns {Float64Array}
 */
export function rowOf({ weights, columns }, row) {
  return weights.subarray(row * columns.length, (row + 1) * columns.length);
}

/**
 * Return the columns of a row, the one that gets most first.
 * @param {View} shown
 * @param {number} row
 * @returns {number[]}
 */
export function ranked(shown, row) {
  const weights = rowOf(shown, row);
  return [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
}

/**
 * Return the fewest edges that together carry a share of the weights, the heaviest first.
 * @param {ArrayLike<number>} weights - Row by row.
 * @param {number} width - Columns of a row.
 * @param {number} share
 * @returns {{row: number, column: number, weight: number}[]}
 */
export function fewestEdges(weights, width, share = 0.75) {
  const order = [...Array(weights.length).keys()].filter((place) => weights[place] > 0);
  order.sort((a, b) => weights[b] - weights[a]);
  const total = order.reduce((sum, place) => sum + weights[place], 0);
  const edges = [];
  let carried = 0;
  for (const place of order) {
    if (carried >= share * total) break;
    carried += weights[place];
    const row = Math.floor(place / width);
    edges.push({ row, column: place - row * width, weight: weights[place] });
  }
  return edges;
}

/**
 * What is chosen in the maps; null: nothing yet.
 * @typedef {object} Chosen
 * @property {string} kind
 * @property {number | null} layer
 * @property {number | null} head
 * @property {number | null} row
 * @property {number | null} column
 * @property {boolean} words
 * @property {boolean} hide
 */

/**
 * Return what is chosen, as far as it is there; in place of the rest what is good to begin with.
 *
 * A head: the one that gives least to what is no word. A row: "it", if there is one, else the
 * middle one. A column: the one that gets most of the row.
 * @template {Chosen} T
 * @param {Record<string, import("heedful/wire.js").AttentionMap>} maps
 * @param {T} asked
 * @returns {T}
 */
export function settled(maps, asked) {
  const [only, ...more] = Object.keys(maps);
  if (only === "cross" && more.length === 0 && asked.kind !== "cross") {
    return settled(maps, { ...asked, kind: "cross", layer: null, head: null, row: null });
  }
  const map = maps[asked.kind];
  if (!map) return asked;
  const fits = (number, count) => number !== null && number < count;
  const there = fits(asked.layer, map.layers) && fits(asked.head, map.heads);
  const found = { ...asked, ...(there ? {} : busiestHead(map)) };
  const shown = view(map, found);
  if (!fits(found.row, shown.rows.length)) {
    Object.assign(found, { row: firstRow(shown.rows), column: null });
  }
  if (!fits(found.column, shown.columns.length)) found.column = ranked(shown, found.row)[0] ?? 0;
  return found;
}

/** Words of which one asks what they stand for. */
const PRONOUNS = ["it", "its", "它", "它的"];

function firstRow(rows) {
  const it = rows.findIndex(({ text }) => PRONOUNS.includes(text.replace("▁", "")));
  return it < 0 ? Math.floor(rows.length / 2) : it;
}

/**
 * Return what is chosen after a step of the decoder was: its row, where rows are the decoder's.
 * @template {Chosen} T
 * @param {Record<string, import("heedful/wire.js").AttentionMap>} maps
 * @param {T} asked
 * @param {number} step
 * @returns {T}
 */
export function atStep(maps, asked, step) {
  const map = maps[asked.kind];
  if (!map || asked.kind === "encoder") return asked;
  const row = groupOf(view(map, asked).rows, step);
  return row < 0 || row === asked.row ? asked : settled(maps, { ...asked, row, column: null });
}

/**
 * Return what is chosen after rows and columns became others; the same stays, if it is there.
 * @template {Chosen} T
 * @param {Record<string, import("heedful/wire.js").AttentionMap>} maps
 * @param {T} asked
 * @param {{words?: boolean, hide?: boolean}} change
 * @returns {T}
 */
export function regrouped(maps, asked, change) {
  const before = view(maps[asked.kind], asked);
  const next = { ...asked, ...change };
  const after = view(maps[asked.kind], next);
  const pieceOf = (groups, place) => groups[place]?.parts[0][0];
  next.row = Math.max(groupOf(after.rows, pieceOf(before.rows, asked.row)), 0);
  const kept = groupOf(after.columns, pieceOf(before.columns, asked.column));
  next.column = kept < 0 ? null : kept;
  return settled(maps, next);
}
