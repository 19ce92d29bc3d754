/** The tour's numbers: softmax, waves, clocks and habits against what they are by definition. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { addTexts, hasText } from "heedful/i18n.js";
import { TEXTS as ENGLISH } from "heedful/live/text-tour-en.js";
import { TEXTS as CHINESE } from "heedful/live/text-tour-zh.js";
import {
  firstPiece,
  firstStep,
  habit,
  itPiece,
  nounPiece,
  pronounStep,
  pronouns,
  rowOfHead,
  scoresOf,
  shuffled,
  sinusoid,
  softmax,
  spread,
  stepThatIs,
  tellingHead,
  turned,
} from "heedful/live/tour-maths.js";
import { lastRead, wayOf } from "heedful/live/tour-rnn.js";
import { STEPS, codeOf, ready, stepsOf } from "heedful/live/tour-steps.js";

const near = (found, wanted, off = 1e-9) => assert.ok(Math.abs(found - wanted) <= off, `${found}`);

test("a softmax sums to 1, whatever is added to all scores, and what is masked gets 0", () => {
  const { powers, sum, weights, highest } = softmax([2, 1, -3.4e38]);
  near(highest, 2);
  near(powers[0], 1);
  near(powers[1], Math.exp(-1));
  near(sum, 1 + Math.exp(-1));
  assert.equal(weights[2], 0);
  near(weights.reduce((a, b) => a + b), 1);
  near(softmax([1002, 1001]).weights[0], 0.7310585786300049);
});

test("scores worked back from shares give the shares again", () => {
  const shares = [0.5, 0.25, 0.125, 0.125];
  softmax(scoresOf(shares)).weights.forEach((weight, place) => near(weight, shares[place]));
});

test("waves are the paper's", () => {
  near(sinusoid(3, 0, 512), Math.sin(3));
  near(sinusoid(3, 1, 512), Math.cos(3));
  near(sinusoid(7, 256, 512), Math.sin(7 / 100));
  near(sinusoid(7, 257, 512), Math.cos(7 / 100));
  assert.deepEqual(spread(8, 4), [0, 1, 4, 5]);
  assert.deepEqual(spread(4, 99), [0, 1, 2, 3]);
});

test("clocks turn by their rate", () => {
  near(turned(2, 0, 64, 10_000), 2);
  near(turned(10, 16, 64, 10_000), 0.1);
  near(turned(7, 0, 64, 10_000), 7 - 2 * Math.PI);
});

const TOKENS = [">>de<<", "▁The", "▁cat", "▁ate", "</s>"];
const SHARES = [[], [[0, 1]], [[1, 1]], [[2, 1]], []];

/** A map of one layer whose heads look where they are told from every piece. */
function mapOf(...heads) {
  const count = TOKENS.length;
  const rowOf = (best) => TOKENS.map((_, key) => (key === best ? 0.6 : 0.4 / (count - 1)));
  const weights = heads.flatMap((look) => TOKENS.flatMap((_, row) => rowOf(look(row))));
  const special = (row, look) => (SHARES[look(row)].length ? 0 : 0.6) + 0.1;
  const side = { tokens: TOKENS, shares: SHARES, words: ["The", "cat", "ate"] };
  return {
    ...{ kind: "encoder", layers: 1, heads: heads.length, exact: true, queries: side, keys: side },
    weights: Float32Array.from(weights),
    sink: [heads.map((look) => TOKENS.map((_, row) => special(row, look)))],
  };
}

test("a head's habit is one distance, specials, or none", () => {
  const before = (row) => Math.max(row - 1, 0);
  const end = () => 4;
  const anything = (row) => [2, 3, 1, 1, 2][row];
  const map = mapOf(before, end, anything);
  const first = habit(map, 0, 0);
  assert.equal(first.kind, "offset");
  assert.equal(first.offset, -1);
  near(first.share, 0.8);
  assert.equal(habit(map, 0, 1).kind, "special");
  near(habit(map, 0, 1).share, 0.7, 1e-6);
  assert.equal(habit(map, 0, 2).kind, "none");
});

test("the head that is shown first reads a word, and not the piece itself", () => {
  const itself = (row) => row;
  const word = (row) => (row === 2 ? 3 : 1);
  assert.deepEqual(tellingHead(mapOf(itself, () => 4, word), 2), { layer: 0, head: 2 });
  const row = rowOfHead(mapOf(itself, word), { layer: 0, head: 1 }, 2);
  near(row[3], 0.6, 1e-6);
});

test("shuffled words are the same words in another order, ended alike", () => {
  const text = "The cat ate the fish because it was hungry.";
  const sorted = (sentence) => sentence.replace(/\.$/, "").split(" ").sort().join(" ");
  for (let seed = 1; seed < 30; seed++) {
    const other = shuffled(text, seed);
    assert.equal(sorted(other), sorted(text));
    assert.ok(other.endsWith("."));
    assert.equal(other, shuffled(text, seed));
  }
  assert.notEqual(shuffled(text, 1), shuffled(text, 2));
  const chinese = "猫吃鱼,因为它饿了。";
  assert.deepEqual([...shuffled(chinese, 3)].sort(), [...chinese].sort());
  assert.ok(shuffled("猫吃鱼。", 3).endsWith("。"));
  assert.equal(shuffled("Hello!", 5), "Hello!");
  assert.equal(shuffled("", 1), "");
});

test("“it” is found in both languages, and a noun beside it", () => {
  const side = (tokens, words, ...of) => ({
    ...{ tokens, words },
    shares: of.map((word) => (word === null ? [] : [word].flat().map((one) => [one, 1]))),
  });
  const tokens = [">>de<<", "▁A", "▁cat", "▁It", "</s>"];
  const english = side(tokens, ["A", "cat", "It"], null, 0, 1, 2, null);
  assert.equal(itPiece(english), 3);
  assert.equal(itPiece(side(["▁", "猫", "它"], ["猫", "它"], 0, 0, 1)), 2);
  assert.equal(itPiece(side(["▁", "它", "们"], ["它", "们"], 0, 0, 1)), 1);
  assert.equal(itPiece(side(["它们"], ["它", "们"], [0, 1])), -1);
  assert.equal(itPiece(side(["▁kap", "it", "än"], ["kapitän"], 0, 0, 0)), -1);
  assert.equal(pronounStep(side(["▁weil", "▁es", "</s>"], ["weil", "es"], 0, 1, null)), 1);
  assert.equal(pronounStep(side(["▁W", "er"], ["Wer"], 0, 0)), -1);
  assert.equal(firstPiece(english), 3);
  assert.equal(firstPiece({ ...english, words: ["A", "cat", "is"] }), 2);
  assert.equal(firstPiece(side(["</s>"], [], null)), 0);
  assert.equal(nounPiece(mapOf((row) => row, () => 3), 1, [1, 2, 3]), 2);
  const other = mapOf(() => 3, () => 3);
  other.keys = { ...other.keys, tokens: [">>de<<", "▁The", "▁dog", "▁ate", "</s>"] };
  assert.equal(nounPiece(other, 1, [1, 2, 3]), 3);
  assert.equal(nounPiece(other, 1, []), 0);
  assert.equal(firstStep(["▁Die", "▁Katze", ".", "</s>"]), 1);
  assert.equal(firstStep(["…"]), 0);
});

test("German pronouns are words of their own", () => {
  assert.deepEqual(pronouns("Die Katze aß, weil sie Es mag; er sieht."), ["sie", "es", "er"]);
  assert.deepEqual(pronouns("Sieben Ester"), []);
});

test("a step that is asked for is one that there is", () => {
  const asked = [0, 3, 99, -1, "2", null, undefined, "x", Number.NaN, 1.9];
  assert.deepEqual(asked.map((one) => stepThatIs(one, 11)), [0, 3, 10, 0, 2, 0, 0, 0, 0, 1]);
});

test("a step waits for what it needs", () => {
  const part = { maps: {}, wire: {} };
  const whole = { maps: { encoder: 1, decoder: 1, cross: 1 }, wire: { steps: [1] } };
  for (const step of STEPS) {
    assert.equal(ready(step, null), false);
    assert.equal(ready(step, part), step.needs.length === 0);
    assert.equal(ready(step, whole), true);
  }
});

test("the step of an RNN is there with an RNN alone, and is the last", () => {
  assert.equal(stepsOf(null).length, STEPS.length - 1);
  assert.equal(stepsOf(null).some(({ name }) => name === "rnn"), false);
  assert.equal(stepsOf({ name: "lstm" }).at(-1).name, "rnn");
});

test("a sentence goes the way of a model whose languages fit, or are not known", () => {
  const ways = [["en", "de"], ["de", "en"]];
  assert.deepEqual(wayOf(ways, { source: "en", target: "de" }), ["en", "de"]);
  assert.deepEqual(wayOf(ways, { source: "", target: "en" }), ["de", "en"]);
  assert.equal(wayOf(ways, { source: "zh", target: "en" }), undefined);
  assert.equal(wayOf(ways, { source: "en", target: "zh" }), undefined);
  assert.equal(wayOf([], { source: "en", target: "de" }), undefined);
  assert.deepEqual(wayOf([["", ""]], { source: "en", target: "fr" }), ["", ""]);
});

test("what was read last is the half at which the reading ends", () => {
  assert.deepEqual(lastRead("backward", 9), [0, 4]);
  assert.deepEqual(lastRead("forward", 9), [5, 9]);
  assert.equal(lastRead("both", 9), null);
  assert.equal(lastRead("forward", 3), null);
});

test("the code of a step is that of this kind of model", () => {
  const positions = STEPS.find(({ name }) => name === "positions");
  const [, own] = codeOf(positions, { position: "rotary" });
  assert.equal(own, "nn/position.py:_RotaryPosition.turn");
  assert.equal(codeOf(positions, { position: "another" }).length, 1);
  assert.equal(codeOf(positions, null).length, 1);
});

const braces = (text) =>
  [...new Set((typeof text === "string" ? text : text.other).match(/\{\w+\}/g) ?? [])].sort();

test("both languages say the same, of the same facts", () => {
  assert.deepEqual(Object.keys(CHINESE), Object.keys(ENGLISH));
  for (const key of Object.keys(ENGLISH)) {
    assert.deepEqual(braces(CHINESE[key]), braces(ENGLISH[key]), key);
  }
});

test("every text that is named is there, and every text is named", () => {
  addTexts("en", ENGLISH);
  const folder = new URL("../../src/heedful/playground/static/live/", import.meta.url);
  const code = readdirSync(folder)
    .filter((name) => /^tour.*\.js$/.test(name))
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .join("\n");
  const named = [...code.matchAll(/"(tour\.[\w.-]+)"/g)].map(([, key]) => key);
  for (const key of named.filter((one) => !one.endsWith("."))) assert.ok(hasText(key), key);
  const begun = [...code.matchAll(/`(tour\.(?:[\w.-]+\.)?)\$\{/g)].map(([, key]) => key);
  const used = (key) => named.includes(key) || begun.some((one) => key.startsWith(one));
  for (const key of Object.keys(ENGLISH)) assert.ok(used(key), key);
  for (const { name } of STEPS) {
    for (const end of ["title", "short", "1", "2"]) assert.ok(hasText(`tour.${name}.${end}`), name);
  }
});
