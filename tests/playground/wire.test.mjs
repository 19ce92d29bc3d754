/** Saved weights and sides are read as they were written. */

import assert from "node:assert/strict";
import { test } from "node:test";

import "heedful/both-languages.js";
import { busiestHead, languages, read, readPart, weightsOf, weightsOfHead } from "heedful/wire.js";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const floats = (...values) => base64(new Uint8Array(Float32Array.from(values).buffer));

const piece = (s, ...shares) => ({ id: 1, s, shares });

/** One encoder layer of two heads on two pieces, one decoder layer of one head. */
export function example() {
  const map = (kind, heads, data, sink) => ({ kind, layers: 1, heads, enc: "f32le", data, sink });
  return {
    v: 1,
    model: { from: "en", to: "de" },
    to: "de",
    source: { text: "a", pieces: [piece("▁a", [0, 1]), piece("</s>")], words: ["a"] },
    target: { text: "b", pieces: [piece("▁b", [0, 1]), piece("</s>")], words: ["b"] },
    steps: [{ reads: "<s>" }, { reads: "▁b" }],
    attention: [
      map("encoder", 2, floats(1, 0, 0.5, 0.5, 0.25, 0.75, 0.125, 0.875), [[[0, 0.5], [0.75, 1]]]),
      map("decoder", 1, floats(1, 0, 0.5, 0.5), [[[1, 0.5]]]),
      map("cross", 1, floats(0, 1, 0.5, 0.5), [[[1, 0.5]]]),
    ],
  };
}

test("a head's weights lie layer by layer, head by head", () => {
  const { maps } = read(example());
  assert.deepEqual([...weightsOfHead(maps.encoder, 0, 1)], [0.25, 0.75, 0.125, 0.875]);
  assert.equal(maps.encoder.exact, true);
});

test("the decoder predicts a piece where it reads the one before", () => {
  const { queries, keys } = read(example()).maps.decoder;
  assert.deepEqual(queries.tokens, ["▁b", "</s>"]);
  assert.deepEqual(queries.reads, ["<s>", "▁b"]);
  assert.deepEqual(keys.tokens, ["<s>", "▁b"]);
  assert.deepEqual(keys.shares, [[], [[0, 1]]]);
});

test("bytes are shares of 255", () => {
  const found = weightsOf({ enc: "u8-rowsum255", data: base64([0, 51, 204, 255]) });
  assert.deepEqual([...found], [...Float32Array.of(0, 0.2, 0.8, 1)]);
});

test("other versions, forms and damage are refused with a sentence", () => {
  assert.throws(() => read({ v: 2 }), /version 1, and this one is of version 2: save it again/);
  assert.throws(() => read(undefined), /version undefined/);
  assert.throws(() => weightsOf({ enc: "f16", data: "" }), /written as "f16"/);
  const damaged = example();
  damaged.attention[0].layers = 2;
  assert.throws(() => read(damaged), /encoder maps of this trace are damaged/);
});

test("one begins with the head that gives least to specials", () => {
  assert.deepEqual(busiestHead(read(example()).maps.encoder), { layer: 0, head: 0 });
});

test("languages are what is known of them", () => {
  const asked = (to, text) => languages({ model: { from: "en", to: "de" }, to, source: { text } });
  assert.deepEqual(asked("de", "a"), { source: "en", target: "de" });
  assert.deepEqual(asked(null, "a"), { source: "en", target: "de" });
  assert.deepEqual(asked("zh", "a"), { source: "en", target: "zh" });
  assert.deepEqual(asked("en", "猫"), { source: "zh", target: "en" });
  assert.deepEqual(asked("en", "Katze"), { source: "", target: "en" });
});

test("what was read of a growing trace is not read again", () => {
  const [wire, known] = [example(), new Map()];
  const part = readPart({ ...wire, attention: wire.attention.slice(0, 1) }, known);
  const whole = readPart(wire, known);
  assert.equal(whole.maps.encoder, part.maps.encoder);
  assert.deepEqual(whole.maps, read(wire).maps);
});
