/** How numbers, heads and rows are said. */

import assert from "node:assert/strict";
import { test } from "node:test";

import "heedful/both-languages.js";
import {
  decimal,
  headName,
  hiddenMass,
  marked,
  percent,
  plain,
  rowLabel,
  rowName,
  sentence,
} from "heedful/numbers.js";

const said = (text) => text.replaceAll("\u00a0", " ");

test("per cent", () => {
  assert.equal(said(percent(0.9532)), "95.3 %");
  assert.equal(said(percent(1)), "100.0 %");
  assert.equal(said(percent(0)), "0.0 %");
  assert.equal(said(percent(0.0004)), "< 0.1 %");
  assert.equal(said(percent(0.9532, false)), "≈ 95 %");
});

test("logarithms have a minus as wide as a digit", () => {
  assert.equal(decimal(-0.0788), "−0.079");
  assert.equal(decimal(-0.0001), "0.000");
  assert.equal(decimal(1.5), "1.500");
});

test("pieces lose the mark of their space in a sentence", () => {
  assert.deepEqual(["▁cat", "▁", "s", "<0xE7>"].map(plain), ["cat", "▁", "s", "<0xE7>"]);
  assert.deepEqual(["▁cat", "cat"].map(marked), [["▁", "cat"], ["", "cat"]]);
});

test("layers and heads are counted from 1", () => {
  assert.equal(headName("encoder", 4, 0), "encoder layer 5, head 1");
  assert.equal(headName("cross", 0, 2), "decoder layer 1, head 3, to the source");
  assert.equal(headName("decoder", 1), "decoder layer 2, to itself");
});

test("a row says what it looks at, or that this is hidden", () => {
  const facts = { kind: "encoder", layer: 4, head: 0, exact: true, renormalised: false };
  const rows = [{ text: "▁it" }];
  const columns = [{ text: "▁because" }, { text: "</s>" }];
  const shown = { ...facts, rows, columns, weights: [0.953, 0.047], hidden: [0.047] };
  assert.equal(
    said(sentence(shown, 0, 0)),
    "it looks at because, 95.3 %, encoder layer 5, head 1",
  );
  assert.equal(said(hiddenMass(shown, 0)), "4.7 % of this head's weight goes to specials, 4.7 % of this row's.");
  const hidden = { ...shown, renormalised: true, hidden: [1], columns: [], weights: [] };
  assert.match(sentence(hidden, 0, 0), /looks only at what is hidden/);
  assert.match(said(hiddenMass(hidden, 0)), /^Renormalised: 100.0 % .* is hidden/);
});

test("a row of the decoder says what is read and what is predicted", () => {
  const row = { text: "▁Straße", reads: "▁die" };
  assert.equal(rowName(row), "reads die, predicts Straße");
  assert.equal(rowLabel(row), "▁die → ▁Straße");
});
