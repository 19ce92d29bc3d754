/** What is written is told; a letter that is still being composed is not. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { onWritten } from "heedful/live/typing.js";

function box() {
  const told = [];
  const found = new EventTarget();
  found.value = "";
  const writing = onWritten(found, (text) => told.push(text));
  const send = (name, value, facts = {}) => {
    found.value = value;
    found.dispatchEvent(Object.assign(new Event(name), facts));
  };
  return { found, told, writing, send };
}

test("every text is told once", () => {
  const { told, send } = box();
  send("input", "a");
  send("input", "a");
  send("input", "ab");
  assert.deepEqual(told, ["a", "ab"]);
});

test("nothing is told while a letter is composed", () => {
  const { told, send } = box();
  send("compositionstart", "");
  send("input", "n", { isComposing: true });
  send("input", "ni", { isComposing: true });
  assert.deepEqual(told, []);
  send("compositionend", "你");
  send("input", "你");
  assert.deepEqual(told, ["你"]);
});

test("a text that the page writes is not told, and none is written into a composed one", () => {
  const { found, told, writing, send } = box();
  writing.set("from elsewhere");
  send("input", "from elsewhere");
  assert.deepEqual(told, []);
  send("compositionstart", "ni");
  writing.set("lost");
  assert.equal(found.value, "ni");
});
