/** Words gather their pieces, specials are hidden, edges are the fewest: against loops. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { atStep, fewestEdges, ranked, regrouped, rowOf, settled, view } from "heedful/views.js";
import { byPiece, byWord, groupOf } from "heedful/words.js";

/** A tag, a word of two pieces, a piece of two words, the end. */
const SIDE = {
  tokens: [">>de<<", "▁c", "at", "因为", "</s>"],
  shares: [[], [[0, 1]], [[0, 1]], [[1, 0.5], [2, 0.5]], []],
  words: ["cat", "因", "为"],
};

const near = (found, wanted) => {
  assert.equal(found.length, wanted.length);
  found.forEach((value, place) => assert.ok(Math.abs(value - wanted[place]) < 1e-6, `${found}`));
};

function mapOf(weights, keys = SIDE, queries = SIDE) {
  const facts = { kind: "encoder", layers: 1, heads: 1, exact: true, sink: [[[0]]] };
  return { ...facts, queries, keys, weights: Float32Array.from(weights.flat()) };
}

const ROWS = [
  [0.5, 0.1, 0.1, 0.1, 0.2],
  [0.0, 0.2, 0.4, 0.4, 0.0],
  [0.2, 0.1, 0.1, 0.2, 0.4],
  [0.1, 0.2, 0.3, 0.2, 0.2],
  [0.6, 0.0, 0.0, 0.0, 0.4],
];
const ASKED = { layer: 0, head: 0, words: false, hide: false };

test("groups stand in the order of the sentence", () => {
  const groups = byWord(SIDE);
  assert.deepEqual(groups.map(({ text }) => text), [">>de<<", "cat", "因", "为", "</s>"]);
  assert.deepEqual(groups.map(({ special }) => special), [true, false, false, false, true]);
  assert.deepEqual(groups[1].parts, [[1, 1], [2, 1]]);
  assert.equal(groupOf(groups, 3), 2);
  assert.equal(groupOf(groups, 9), -1);
  assert.equal(byPiece({ ...SIDE, reads: SIDE.words })[1].reads, "因");
});

test("pieces are shown as they are", () => {
  const shown = view(mapOf(ROWS), ASKED);
  near([...shown.weights], ROWS.flat());
  near([...shown.hidden], [0.7, 0, 0.6, 0.3, 1]);
  assert.deepEqual(ranked(shown, 1), [2, 3, 1, 0, 4]);
});

test("a word gets the sum and gives the mean, and rows still sum to 1", () => {
  const shown = view(mapOf(ROWS), { ...ASKED, words: true });
  near([...rowOf(shown, 1)], [0.1, 0.4, 0.15, 0.15, 0.2]);
  near([...rowOf(shown, 2)], [...rowOf(shown, 3)]);
  for (const row of shown.rows.keys()) near([rowOf(shown, row).reduce((a, b) => a + b)], [1]);
});

test("what is hidden is said, and the rest is divided by its sum", () => {
  const shown = view(mapOf(ROWS), { ...ASKED, hide: true });
  assert.deepEqual(shown.columns.map(({ text }) => text), ["▁c", "at", "因为"]);
  near([...rowOf(shown, 2)], [0.25, 0.25, 0.5]);
  near([...rowOf(shown, 4)], [0, 0, 0]);
  near([...shown.hidden], [0.7, 0, 0.6, 0.3, 1]);
  const nothing = { tokens: ["<s>"], shares: [[]], words: [] };
  const empty = view(mapOf([[1]], nothing, nothing), { ...ASKED, hide: true });
  assert.deepEqual([empty.columns.length, ranked(empty, 0)], [0, []]);
});

/** Every subset of the edges, the smallest that carries enough. */
function smallest(weights, share) {
  const total = weights.reduce((a, b) => a + b, 0);
  let best = weights.length;
  for (let bits = 0; bits < 1 << weights.length; bits++) {
    const chosen = weights.filter((_, place) => (bits >> place) & 1);
    if (chosen.reduce((a, b) => a + b, 0) >= share * total) best = Math.min(best, chosen.length);
  }
  return best;
}

test("no fewer edges carry 75 % of the weight", () => {
  for (let seed = 1; seed < 40; seed++) {
    const weights = Array.from({ length: 8 }, (_, at) => ((seed * 37 + at * at * 61) % 97) / 128);
    const edges = fewestEdges(weights, 4);
    assert.equal(edges.length, smallest(weights, 0.75));
    for (const { row, column, weight } of edges) assert.equal(weight, weights[4 * row + column]);
  }
  assert.deepEqual(fewestEdges([0, 0], 2), []);
});

const NOTHING = { kind: "encoder", layer: null, head: null, row: null, column: null };

test("what is not chosen yet, or not there, is what is good to begin with", () => {
  const maps = { encoder: mapOf(ROWS) };
  const first = settled(maps, { ...NOTHING, words: false, hide: false });
  assert.deepEqual(first, { ...ASKED, kind: "encoder", row: 2, column: 4 });
  assert.deepEqual(settled(maps, { ...first, row: 1, column: 3 }), { ...first, row: 1, column: 3 });
  assert.deepEqual(settled(maps, { ...first, head: 7, row: 99, column: 1 }), first);
  const hidden = settled(maps, { ...first, hide: true });
  assert.equal(hidden.column, 2);
  assert.deepEqual(settled({}, { ...NOTHING }), NOTHING);
  const it = { ...SIDE, tokens: [">>de<<", "▁it", "at", "因为", "</s>"] };
  const asked = { ...NOTHING, words: false, hide: false };
  assert.equal(settled({ encoder: mapOf(ROWS, it, it) }, asked).row, 1);
});

test("a step chooses its row in the decoder's maps alone", () => {
  const reads = ["<s>", ...SIDE.tokens.slice(0, -1)];
  const map = { ...mapOf(ROWS, SIDE, { ...SIDE, reads }), kind: "cross" };
  const asked = { ...ASKED, kind: "cross", row: 0, column: 0 };
  assert.deepEqual(atStep({ cross: map }, asked, 4), { ...asked, row: 4, column: 0 });
  assert.equal(atStep({ cross: map }, asked, 0), asked);
  assert.equal(atStep({ cross: map }, asked, 9), asked);
  const encoder = { ...asked, kind: "encoder" };
  assert.equal(atStep({ encoder: mapOf(ROWS) }, encoder, 4), encoder);
});

test("what is chosen stays when rows and columns are words", () => {
  const maps = { encoder: mapOf(ROWS) };
  const asked = { ...ASKED, kind: "encoder", row: 2, column: 4 };
  assert.deepEqual(regrouped(maps, asked, { words: true }), { ...asked, words: true, row: 1 });
  const back = regrouped(maps, { ...asked, words: true, row: 1 }, { words: false });
  assert.deepEqual(back, { ...asked, row: 1 });
  assert.equal(regrouped(maps, asked, { hide: true }).column, 2);
});
