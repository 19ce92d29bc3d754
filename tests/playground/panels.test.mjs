/** What the panels of the live page compute: differences, runs of pieces, the machine, pairs. */

import assert from "node:assert/strict";
import { test } from "node:test";

import "heedful/both-languages.js";
import { placed, withSign } from "heedful/live/bars.js";
import { diff, wordsAndSpaces } from "heedful/live/diff.js";
import { DOT, fill, layout, neighbour } from "heedful/live/machine-layout.js";
import { mostMoved } from "heedful/live/moved.js";
import { pairOf } from "heedful/live/pair.js";
import { drawn, runs, spelled } from "heedful/live/pieces.js";
import { addTexts, setLanguage, t } from "heedful/i18n.js";
import { differenceRetold, evidenceRetold, named } from "heedful/live/said.js";
import { TEXTS as PANELS_CHINESE } from "heedful/live/text-panels-zh.js";
import { TEXTS as PANELS_ENGLISH } from "heedful/live/text-panels-en.js";

addTexts("en", PANELS_ENGLISH);
addTexts("zh", PANELS_CHINESE);

/** Numbers from a seed. */
function random(seed) {
  let state = seed;
  return (end) => (state = (state * 1103515245 + 12345) % 2147483648) % end;
}

const side = (changes, kind) =>
  changes.filter((one) => one.kind === "same" || one.kind === kind).map(({ text }) => text).join("");

/** The length of the longest common subsequence, by trying everything. */
function common(one, other) {
  if (!one.length || !other.length) return 0;
  if (one[0] === other[0]) return 1 + common(one.slice(1), other.slice(1));
  return Math.max(common(one.slice(1), other), common(one, other.slice(1)));
}

test("a difference gives both texts back, and keeps as much as can be kept", () => {
  for (let seed = 1; seed < 120; seed++) {
    const next = random(seed);
    const text = () => Array.from({ length: next(7) }, () => "abc"[next(3)]);
    const [one, other] = [text(), text()];
    const changes = diff(one, other);
    assert.equal(side(changes, "gone"), one.join(""));
    assert.equal(side(changes, "new"), other.join(""));
    const same = changes.filter(({ kind }) => kind === "same").map(({ text }) => text).join("");
    assert.equal(same.length, common(one, other), `${one} ${other}`);
  }
});

test("a difference is found by words, and in Chinese by characters", () => {
  assert.deepEqual(wordsAndSpaces("It's 5, 猫吃"), ["It's", " ", "5", ",", " ", "猫", "吃"]);
  assert.deepEqual(diff(wordsAndSpaces("weil es hungrig"), wordsAndSpaces("weil er hungrig")), [
    { kind: "same", text: "weil " },
    { kind: "gone", text: "es" },
    { kind: "new", text: "er" },
    { kind: "same", text: " hungrig" },
  ]);
  assert.deepEqual(diff([], []), []);
  const long = Array.from({ length: 3000 }, (_, place) => `${place}`);
  const changes = diff(["x", ...long, "x"], ["y", ...long.toReversed(), "y"]);
  assert.equal(side(changes, "gone"), `x${long.join("")}x`);
});

const piece = (s, words = [], bytes = null) => ({
  ...{ s, bytes, id: 1, special: !words.length, unknown: false },
  shares: words.map((word) => [word, 1 / words.length]),
});

test("runs never part a word, and hold every piece once", () => {
  const pieces = [
    piece(">>en<<"),
    piece("▁", [0]),
    piece("猫", [0]),
    piece("因为", [1, 2]),
    piece("为什", [2, 3]),
    piece("了", [4]),
    piece("</s>"),
  ];
  assert.deepEqual(runs(pieces), [
    { places: [0], words: [] },
    { places: [1, 2], words: [0] },
    { places: [3, 4], words: [1, 2, 3] },
    { places: [5], words: [4] },
    { places: [6], words: [] },
  ]);
});

test("bytes stand under the character that they spell", () => {
  const bytes = ["20 c3", "9c", "e9 be", "98", "f0", "9f", "98", "80", "e7"];
  const pieces = [piece("n", [0]), ...bytes.map((hex) => piece("?", [0], hex)), piece("t", [0])];
  const groups = drawn(pieces, [...pieces.keys()]);
  assert.deepEqual(
    groups.map(({ places, character }) => [character, places.length]),
    [[null, 1], ["Ü", 2], ["龘", 2], ["😀", 4], ["\ufffd", 1], [null, 1]],
  );
  assert.equal(spelled(["e7"]), "\ufffd");
});

const SHAPES = [
  { encoder_layers: 6, decoder_layers: 2, heads: 4 },
  { encoder_layers: 6, decoder_layers: 6, heads: 8 },
  { encoder_layers: 1, decoder_layers: 4, heads: 16 },
  { encoder_layers: 12, decoder_layers: 1, heads: 1 },
];

for (const shape of SHAPES) {
  test(`every head has room of its own, in its box: ${Object.values(shape)}`, () => {
    for (const room of [230, 264, 300, 420, 640, 1200]) {
      for (const added of [true, false]) {
        const { width, height, dots, boxes } = layout(shape, room, 90, added);
        assert.ok(width <= room, `${width} of ${room}`);
        const heads = shape.heads * (shape.encoder_layers + 2 * shape.decoder_layers);
        assert.equal(dots.length, heads);
        dots.forEach((dot, place) => {
          const box = boxes.find(({ what, layer }) => what === dot.kind && layer === dot.layer);
          assert.ok(dot.x - DOT / 2 >= box.x - 1e-9 && dot.x + DOT / 2 <= box.x + box.width + 1e-9);
          assert.ok(dot.y - DOT / 2 >= box.y && dot.y + DOT / 2 <= box.y + box.height);
          for (const other of dots.slice(0, place)) {
            const apart = Math.max(Math.abs(dot.x - other.x), Math.abs(dot.y - other.y));
            assert.ok(apart >= DOT - 1e-9);
          }
        });
        for (const box of boxes) {
          assert.ok(box.x >= 0 && box.x + box.width <= width && box.y >= 0, box.what);
          assert.ok(box.y + box.height <= height, box.what);
        }
        const parts = boxes.filter(({ what }) => !/frame|number|title|position/.test(what));
        parts.forEach((one, place) =>
          parts.slice(0, place).forEach((other) => {
            const across = one.x < other.x + other.width && other.x < one.x + one.width;
            const down = one.y < other.y + other.height && other.y < one.y + one.height;
            assert.ok(!(across && down), `${one.what} ${other.what}`);
          }),
        );
      }
    }
  });

  test(`arrow keys reach every head: ${Object.values(shape)}`, () => {
    const { dots } = layout(shape, 640, 90, false);
    const reached = new Set([0]);
    const waiting = [0];
    while (waiting.length) {
      const place = waiting.pop();
      for (const key of ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"]) {
        const next = neighbour(dots, place, key);
        if (next === undefined || reached.has(next)) continue;
        reached.add(next);
        waiting.push(next);
      }
    }
    assert.equal(reached.size, dots.length);
    assert.equal(neighbour(dots, 0, "Enter"), undefined);
  });
}

test("layers stand above each other as in the paper", () => {
  const { dots } = layout(SHAPES[0], 640, 90, true);
  const at = (kind, layer) => dots.find((dot) => dot.kind === kind && dot.layer === layer).y;
  assert.ok(at("encoder", 5) < at("encoder", 0));
  assert.ok(at("cross", 0) < at("decoder", 0));
  assert.ok(at("decoder", 1) < at("cross", 0));
});

test("what fills a dot is by its area", () => {
  assert.equal(fill(0.25, 1, 8), 4);
  assert.equal(fill(2, 1, 8), 8);
  assert.equal(fill(1, 0, 8), 0);
});

test("bars with a sign begin in the middle", () => {
  assert.deepEqual(placed(-0.5, 1), { left: 25, width: 25 });
  assert.deepEqual(placed(1, 1), { left: 50, width: 50 });
  assert.deepEqual(placed(1, 0), { left: 50, width: 0 });
  assert.deepEqual([0.5, -0.0778, -0.0001].map(withSign), ["+0.500", "−0.078", "0.000"]);
});

/** A source of a tag, two pieces of a word, a piece of two words, and the end. */
function traced() {
  const source = {
    tokens: [">>de<<", "▁c", "at", "因为", "</s>"],
    shares: [[], [[0, 1]], [[0, 1]], [[1, 0.5], [2, 0.5]], []],
    words: ["cat", "因", "为"],
  };
  const facts = { kind: "encoder", layers: 1, heads: 1, exact: true, sink: [[[0, 0, 0, 0, 0]]] };
  const map = { ...facts, queries: source, keys: source, weights: new Float32Array(25) };
  return { maps: { encoder: map } };
}

const VIEW = { kind: "encoder", layer: 0, head: 0, words: false, hide: false };

test("a pair is counted as the server counts it", () => {
  const trace = traced();
  const pair = (view) => {
    const { row, column, words, from, to } = pairOf(trace, { ...VIEW, ...view });
    return [row, column, words, from, to];
  };
  assert.deepEqual(pair({ row: 3, column: 1 }), [3, 1, false, "因为", "c"]);
  assert.deepEqual(pair({ row: 3, column: 0, hide: true }), [3, 1, false, "因为", "c"]);
  assert.deepEqual(pair({ row: 3, column: 1, words: true }), [2, 0, true, "为", "cat"]);
  assert.deepEqual(
    pair({ row: 3, column: 0, words: true, hide: true }),
    [2, 0, true, "为", "cat"],
  );
  assert.deepEqual(pair({ row: 1, column: 4, words: true }), [1, 4, false, "cat", "</s>"]);
  assert.equal(pairOf(trace, { ...VIEW, kind: "cross", row: 0, column: 0 }), null);
});

test("heads are named as the page counts them", () => {
  setLanguage("en");
  assert.equal(named("cross.0.1 and encoder.4.3."), `${t("said.head_cross", { layer: 1, head: 2 })} and ${t("said.head_encoder", { layer: 5, head: 4 })}.`);
  assert.equal(named("0.4.3 encoder.4"), "0.4.3 encoder.4");
});

const FOUND = {
  ...{ heads: [{ layer: 4, head: 3, weight: 0.804 }], over_half: 1, of: 24, step: null },
  value_zeroing: { change: -0.41 },
  ablate_top: { head: "encoder.4.3", change: 0.012, changed: false },
  ...{ signals: [true, true, false], agree: false },
};

test("what the server says is said again from its numbers", () => {
  setLanguage("en");
  const head = t("said.head_encoder", { layer: 5, head: 4 });
  assert.equal(
    evidenceRetold(FOUND),
    `1 of 24 heads give it more than half, and ${head} most, 80%. Without what it says, the ` +
      `translation loses 0.410 nats; without ${head} the translation gains 0.012 nats, and what ` +
      "is written stays the same. These do not agree: where a head looks is not by itself why " +
      "the model answers.",
  );
  setLanguage("zh");
  assert.match(evidenceRetold({ ...FOUND, step: 3, over_half: 0 }), /^24 个头里没有一个.*0\.410/);
  assert.match(differenceRetold({ changed: false, lost: 0.001, log_probs: [1, 2] }), /要么/);
  assert.doesNotMatch(differenceRetold({ changed: true, lost: 0, log_probs: [1] }), /要么/);
  setLanguage("en");
});

test("panels say the same in both languages, with the same facts", () => {
  const facts = (text) =>
    [...new Set(Object.values(typeof text === "string" ? [text] : text).join().match(/\{\w+\}/g))].sort();
  assert.deepEqual(Object.keys(PANELS_ENGLISH), Object.keys(PANELS_CHINESE));
  for (const [name, text] of Object.entries(PANELS_ENGLISH)) {
    assert.deepEqual(facts(PANELS_CHINESE[name]), facts(text), name);
  }
});

test("the head that moved most is found by its rows", () => {
  const tokens = ["a", "b"];
  const map = (...weights) => ({
    ...{ layers: 1, heads: 2, queries: { tokens }, keys: { tokens } },
    weights: Float32Array.from(weights),
  });
  const encoder = map(1, 0, 0.5, 0.5, 0.25, 0.75, 0, 1);
  const other = map(1, 0, 0.25, 0.75, 0.75, 0.25, 1, 0);
  const found = mostMoved({ encoder }, { encoder: other });
  assert.deepEqual(found, { kind: "encoder", layer: 0, head: 1, share: 0.75 });
  const longer = { ...other, keys: { tokens: ["a", "c"] } };
  assert.equal(mostMoved({ encoder }, { encoder: longer }), null);
});
