/** What was changed is taken back, and done again. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "heedful/live/history.js";

test("steps are taken back and done again", () => {
  const history = new History({ n: 0 });
  assert.equal(history.canUndo, false);
  assert.equal(history.undo(), undefined);
  history.note({ n: 1 }, "", 0);
  history.note({ n: 2 }, "", 1);
  assert.deepEqual(history.undo(), { n: 1 });
  assert.deepEqual(history.undo(), { n: 0 });
  assert.equal(history.undo(), undefined);
  assert.deepEqual([history.canUndo, history.canRedo], [false, true]);
  assert.deepEqual(history.redo(), { n: 1 });
  assert.deepEqual(history.redo(), { n: 2 });
  assert.equal(history.redo(), undefined);
});

test("what is as before is no step", () => {
  const history = new History({ n: 0 });
  history.note({ n: 0 }, "", 0);
  assert.equal(history.canUndo, false);
});

test("a new step lets go of what was taken back", () => {
  const history = new History(0);
  history.note(1, "", 0);
  history.undo();
  history.note(2, "", 1);
  assert.equal(history.canRedo, false);
  assert.equal(history.undo(), 0);
});

test("typing is one step until it pauses", () => {
  const history = new History("");
  history.note("a", "typed", 0);
  history.note("ab", "typed", 500);
  history.note("abc", "typed", 1000);
  history.note("abcd", "typed", 9000);
  assert.equal(history.undo(), "abc");
  assert.equal(history.undo(), "");
});

test("typing after a step back is a step of its own", () => {
  const history = new History("");
  history.note("a", "typed", 0);
  history.undo();
  history.redo();
  history.note("ab", "typed", 1);
  assert.equal(history.undo(), "a");
});

test("not everything is kept", () => {
  const history = new History(0);
  for (let n = 1; n <= 500; n++) history.note(n, "", n);
  let last;
  for (let found = history.undo(); found !== undefined; found = history.undo()) last = found;
  assert.equal(last, 300);
});
