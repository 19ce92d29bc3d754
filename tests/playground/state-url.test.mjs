/** A state stands in the address and comes back; a broken address gives the first state. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { firstState, fromHash, toHash } from "heedful/live/state-url.js";

const HERE = firstState("en");

function state() {
  return {
    tab: "inside",
    panel: "attention",
    only: ["attention", "what-if"],
    model: "mine",
    from: "en",
    to: "de",
    text: "Is 100 % <b>&amp;</b> #1? 猫吃鱼 🐈 عربي\nline + line",
    target: "",
    beam: 8,
    length_penalty: 0,
    most: 3,
    temperature: 0.7,
    seed: 12,
    edits: {
      ablate: ["encoder.4.3", "cross.1"],
      how: "uniform",
      replace: { hungry: "tasty", "a=b&c": "§#" },
      prefix: "Die ",
    },
    view: {
      kind: "cross",
      layer: 1,
      head: 0,
      row: 3,
      column: 0,
      words: true,
      hide: true,
      step: 7,
    },
    lang: "zh",
    theme: "dark",
    step_of_tour: 4,
    keys: false,
  };
}

test("the first state is no address at all", () => {
  assert.equal(toHash(HERE), "");
  assert.deepEqual(fromHash(""), { state: HERE, broken: false });
  assert.deepEqual(fromHash("#"), { state: HERE, broken: false });
});

test("everything in a state comes back", () => {
  const hash = toHash(state());
  assert.deepEqual(fromHash(hash), { state: state(), broken: false });
  assert.deepEqual(fromHash(`#${hash}`), { state: state(), broken: false });
  for (const name of Object.keys(HERE)) assert.notDeepEqual(state()[name], HERE[name], name);
});

test("a text and its language are read as they are written by hand", () => {
  const { state: found, broken } = fromHash("#tab=inside&text=The%20cat+sleeps.&to=de");
  assert.equal(broken, false);
  assert.deepEqual([found.tab, found.text, found.to], ["inside", "The cat sleeps.", "de"]);
});

test("the language of the browser is left out, another is written", () => {
  assert.equal(toHash(firstState("zh"), "zh"), "");
  assert.equal(toHash(firstState("zh"), "en"), "lang=zh");
  assert.equal(fromHash("", "zh").state.lang, "zh");
});

const BROKEN = [
  "tab=nowhere",
  "only=attention,nothing",
  "only=",
  "beam=0",
  "beam=17",
  "beam=4.5",
  "beam=",
  "beam=1e1",
  "beam=4&beam=5",
  "penalty=-1",
  "penalty=NaN",
  "off=encoder",
  "off=encoder.1.2.3",
  "off=head.1.2",
  "off=encoder.1,,",
  "how=loud",
  "replace=%7B",
  "replace=%5B1%5D",
  "replace=null",
  'replace={"a":1}',
  "layer=-1",
  "row=99999",
  "words=1",
  "lang=tlh",
  "theme=pink",
  "unknown=1",
  "text=%E7%8C",
  "text=%zz",
  "=&&=",
  "just words",
];

test("what cannot be read gives the first state, and says so", () => {
  for (const hash of BROKEN) {
    assert.deepEqual(fromHash(`text=kept&${hash}`), { state: HERE, broken: true }, hash);
  }
});
