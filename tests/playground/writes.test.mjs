/** What the page makes of a model that goes on with texts, which has the decoder's side alone. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { addTexts, setVoice, t } from "heedful/i18n.js";
import { fitted, questionOf } from "heedful/live/state.js";
import { firstState } from "heedful/live/state-url.js";
import { layout } from "heedful/live/machine-layout.js";
import { view } from "heedful/views.js";
import { readPart, writes } from "heedful/wire.js";
import { branched } from "heedful/written.js";

/** A saved trace of "The cat", gone on with by " sat" and a half character. */
function saved() {
  const weights = new Float32Array([1, 0, 0, 0.25, 0.75, 0, 0.5, 0.25, 0.25]);
  const piece = (s, word) => ({ id: 1, s, word, shares: word === null ? [] : [[word, 1]] });
  const pieces = [piece("▁cat", 1), piece("▁sat", 2), piece("<0xE7>", 3)];
  const words = ["The", "cat", "sat", "\ufffd"];
  return {
    v: 1,
    model: { encoder_layers: 0, decoder_layers: 1, heads: 1, d_model: 2, from: "", to: "" },
    source: { text: "The cat", pieces: [piece("The", 0), piece("▁cat", 1)], words: ["The", "cat"] },
    target: { text: "The cat sat\ufffd", pieces, words },
    begins: 1,
    steps: ["The", "▁cat", "▁sat"].map((reads, i) => ({ i, reads, predicts: pieces[i].s })),
    attention: [
      {
        ...{ kind: "decoder", layers: 1, heads: 1, enc: "f32le", sink: [[[0, 0, 0]]] },
        keys: ["The", "▁cat", "▁sat"],
        data: Buffer.from(weights.buffer).toString("base64"),
      },
    ],
  };
}

test("rows are where pieces are read, and name what they predict", () => {
  const trace = readPart(saved());
  assert.ok(writes(trace.wire));
  const asked = { layer: 0, head: 0, words: false, hide: false };
  const pieces = view(trace.maps.decoder, asked);
  assert.deepEqual(
    pieces.rows.map(({ reads, text }) => `${reads} ${text}`),
    ["The ▁cat", "▁cat ▁sat", "▁sat <0xE7>"],
  );
  const words = view(trace.maps.decoder, { ...asked, words: true });
  assert.deepEqual(words.rows.map(({ text }) => text), ["The", "cat", "sat"]);
  assert.deepEqual(words.columns.map(({ text }) => text), ["The", "cat", "sat"]);
  assert.deepEqual([...words.weights], [1, 0, 0, 0.25, 0.75, 0, 0.5, 0.25, 0.25]);
});

test("another piece makes another prompt, if it can be typed", () => {
  const trace = readPart(saved());
  assert.equal(branched(trace, 1, "▁ran"), "The cat ran");
  assert.equal(branched(trace, 0, "↵"), "The\n");
  assert.equal(branched(trace, 2, "."), "The cat sat.");
  assert.equal(branched(trace, 1, "<0xE7>"), null);
  assert.equal(branched(trace, 1, "<|end|>"), null);
});

test("nothing is asked that means nothing to the model", () => {
  const state = { ...firstState(), model: "m", text: "The", to: "de", temperature: 0.5, seed: 3 };
  assert.deepEqual(Object.keys(questionOf(state, false)), [
    ...["model", "text", "from", "to", "target", "beam", "length_penalty"],
  ]);
  const drawn = { model: "m", text: "The", target: null, most: 20, temperature: 0.5, seed: 3 };
  assert.deepEqual(questionOf(state, true), drawn);
  const given = { ...state, target: " cat" };
  assert.deepEqual(questionOf(given, true), { model: "m", text: "The", target: " cat" });
});

test("a model that writes has no translator and one kind of attention", () => {
  const models = [
    { name: "writer", writes: true, ways: [], beam: 16 },
    { name: "translator", writes: false, ways: [["en", "de"]], beam: 16 },
  ];
  const of = (model, more) => ({ ...firstState(), model, ...more });
  assert.equal(fitted(of("writer"), {}, models).tab, "inside");
  assert.equal(fitted(of("writer"), {}, models).view.kind, "decoder");
  assert.equal(fitted(of("writer"), { tab: "translate" }, models).model, "translator");
  assert.equal(fitted(of("writer"), { tab: "translate" }, models.slice(0, 1)).model, "writer");
  const state = of("translator", { to: "de" });
  assert.deepEqual(fitted(state, {}, models), state);
});

test("the machine of a decoder alone has its heads once, inside the picture", () => {
  const shape = { encoder_layers: 0, decoder_layers: 3, heads: 4 };
  for (const room of [230, 360, 900]) {
    const { width, height, dots, boxes } = layout(shape, room, 90, true);
    assert.equal(dots.length, 12);
    assert.ok(dots.every(({ kind, x, y }) => kind === "decoder" && x < width && y > 0 && y < height));
    assert.ok(boxes.every((box) => box.x >= 0 && box.y >= 0 && box.y + box.height <= height));
    assert.ok(width <= room);
  }
});

test("a text has a twin where other words are needed", () => {
  addTexts("en", { "a.b": "translated", "a.b.writes": "written", "a.c": "both" });
  setVoice("writes");
  assert.deepEqual([t("a.b"), t("a.c")], ["written", "both"]);
  setVoice("");
  assert.equal(t("a.b"), "translated");
});
