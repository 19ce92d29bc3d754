/** The pure parts of the frame: states that change, traces that grow, names, keys, Python. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Drawing } from "heedful/live/drawing.js";
import { typeOf, nameOfTranslation } from "heedful/live/files.js";
import { fittingTarget, languageName, sourcesOf, targetsOf } from "heedful/live/names.js";
import { literal, python } from "heedful/live/python.js";
import { bodyAndGap, gapIn } from "heedful/live/sentences.js";
import { actionOf } from "heedful/live/shortcuts.js";
import { changed, fitted, questionOf, switched } from "heedful/live/state.js";
import { undoable, viewOfAnother } from "heedful/live/state.js";
import { firstState } from "heedful/live/state-url.js";
import { Tracer, grown } from "heedful/live/tracing.js";
import { warmed } from "heedful/temperature.js";

const WAYS = [
  ["en", "de"],
  ["de", "en"],
  ["en", "zh"],
  ["zh", "en"],
];

function looked() {
  const edits = { ablate: ["cross.1"], how: "zero", replace: { hungry: "tasty" }, prefix: "Er" };
  const view = { ...firstState().view, layer: 1, head: 2, row: 3, column: 4, step: 5 };
  return { ...firstState(), model: "mine", text: "It was hungry.", to: "de", edits, view };
}

test("with another sentence those edits stay that still can be", () => {
  const after = changed(looked(), { text: "He is hungry." });
  assert.deepEqual(after.view, looked().view);
  assert.deepEqual(after.edits.replace, { hungry: "tasty" });
  assert.equal(after.edits.prefix, null);
  assert.deepEqual(changed(looked(), { text: "He sleeps." }).edits.replace, {});
  assert.deepEqual(after.edits.ablate, ["cross.1"]);
});

test("in another trace rows are others, and heads with another model", () => {
  const { view } = looked();
  const rows = { row: null, column: null, step: null };
  assert.deepEqual(viewOfAnother(view, false), { ...view, ...rows });
  assert.deepEqual(viewOfAnother(view, true), { ...view, ...rows, layer: null, head: null });
});

test("with another model no head is switched off", () => {
  assert.deepEqual(changed(looked(), { model: "other" }).edits.ablate, []);
  const named = changed({ ...looked(), model: "" }, { model: "first" });
  assert.deepEqual(named.edits.ablate, ["cross.1"]);
});

test("the language of a text is said where the model translates from it", () => {
  const models = [{ name: "mine", writes: false, ways: WAYS, beam: 2 }];
  const inside = { ...looked(), tab: "inside", from: "zh", to: "en" };
  const kept = fitted(inside, {}, models);
  assert.deepEqual([kept.from, kept.to], ["zh", "en"]);
  assert.equal(questionOf(kept, false).from, "zh");
  assert.match(python("tokens", kept), /to="en", from_="zh"/);
  assert.equal(fitted({ ...inside, to: "de" }, {}, models).from, "", "not from zh to de");
  assert.equal(fitted({ ...inside, tab: "translate", from: "fr" }, {}, models).from, "fr");
  assert.equal(questionOf(looked(), false).from, null);
  assert.equal(kept.beam, 2, "no more than the server allows");
});

test("a trace that is not whole yet is known when it is called back", async () => {
  globalThis.window = globalThis;
  const told = { grew() {}, wrote() {}, failed: assert.fail };
  const answers = [];
  globalThis.fetch = () => new Promise((resolve) => answers.push(resolve));
  const tracer = new Tracer(told);
  assert.equal(tracer.stop(), false);
  tracer.ask({}, 0);
  assert.equal(tracer.stop(), true);
  assert.equal(tracer.stop(), false);
  tracer.ask({}, 0);
  answers.at(-1)(new Response('{"event": "begin"}\n{"event": "done", "ms": {}}\n'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(tracer.stop(), false);
});

test("what is not another changes nothing else", () => {
  const { text, to } = looked();
  assert.deepEqual(changed(looked(), { text, to, beam: 2 }), { ...looked(), beam: 2 });
});

test("what is chosen is not taken back, what is asked is", () => {
  const kept = undoable(looked());
  assert.equal("view" in kept || "theme" in kept || "tab" in kept, false);
  assert.deepEqual(kept.edits, looked().edits);
});

test("a trace grows by events", () => {
  const events = [
    { event: "begin", v: 1, id: "t1", source: { text: "a" } },
    { event: "attention", kind: "encoder", data: "" },
    { event: "target", target: { text: "b" }, forced: false },
    { event: "steps", steps: [] },
    { event: "done", ms: { search: 1 }, precision: "float32" },
  ];
  assert.deepEqual(events.reduce(grown, undefined), {
    v: 1,
    id: "t1",
    source: { text: "a" },
    attention: [{ kind: "encoder", data: "" }],
    target: { text: "b" },
    forced: false,
    steps: [],
    ms: { search: 1 },
    precision: "float32",
  });
});

test("languages of ways", () => {
  assert.deepEqual(sourcesOf(WAYS), ["en", "de", "zh"]);
  assert.deepEqual(targetsOf(WAYS), ["de", "en", "zh"]);
  assert.deepEqual(targetsOf(WAYS, "zh"), ["en"]);
  assert.deepEqual(targetsOf([["", ""]]), []);
  assert.equal(fittingTarget(WAYS, "zh", "de"), "en");
  assert.equal(fittingTarget(WAYS, "", "zh"), "zh");
  assert.equal(fittingTarget([], "", "zh"), "");
  assert.deepEqual(["de", "not a code!", ""].map(languageName), ["German", "not a code!", ""]);
});

test("sentences stand apart as their language has it", () => {
  assert.deepEqual(bodyAndGap("Hello. \n"), ["Hello.", " \n"]);
  assert.deepEqual(bodyAndGap("   "), ["", "   "]);
  assert.deepEqual(["", " ", "\n"].map((gap) => gapIn(gap, "en")), [" ", " ", "\n"]);
  assert.deepEqual(["", " ", "\n"].map((gap) => gapIn(gap, "zh")), ["", "", "\n"]);
});

test("files by the ends of their names", () => {
  const names = ["a.MD", "a.b.srt", "a.htm", "a.pdf", "txt", ".constructor"];
  const types = ["text/markdown", "application/x-subrip", "text/html", ...Array(3).fill(undefined)];
  assert.deepEqual(names.map(typeOf), types);
  assert.equal(nameOfTranslation("a.b.md", "de"), "a.b.de.md");
  assert.equal(nameOfTranslation("a.md", ""), "a.translated.md");
});

test("single keys do something, but not while something is written", () => {
  assert.equal(actionOf({ key: "/" }, false), "input");
  assert.equal(actionOf({ key: "U" }, false), "redo");
  assert.equal(actionOf({ key: "/" }, true), undefined);
  for (const held of ["ctrlKey", "metaKey", "altKey", "isComposing", "defaultPrevented"]) {
    assert.equal(actionOf({ key: "u", [held]: true }, false), undefined);
  }
  assert.equal(actionOf({ key: "y" }, false), undefined);
});

test("what is shown, as Python", () => {
  assert.equal(literal({ 'a"b': [1, null, true, "猫\n"] }), '{"a\\"b": [1, None, True, "猫\\n"]}');
  const code = python("attention", { ...looked(), beam: 2 });
  assert.match(code, /^from heedful import load\nfrom heedful.inspect import trace\n/);
  assert.match(code, /trace\(load\("mine"\), "It was hungry.", to="de", beam=2\)/);
  assert.match(code, /seen\.attention\("encoder", layer=1, head=2\)/);
  assert.match(
    python("what-if", looked()),
    /what_if\(ablate=\["cross.1"\], how="zero", replace={"hungry": "tasty"}, prefix="Er"\)/,
  );
});

test("temperature", () => {
  const logs = [0.5, 0.3, 0.1].map(Math.log);
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  assert.deepEqual(warmed(logs, 1), logs.map(Math.exp));
  for (const temperature of [0.1, 0.5, 2, 3]) {
    assert.ok(Math.abs(sum(warmed(logs, temperature)) - 0.9) < 1e-12);
  }
  assert.ok(warmed(logs, 0.1)[0] > 0.89);
  const [a, b] = warmed(logs, 2);
  assert.ok(Math.abs(a / b - Math.sqrt(5 / 3)) < 1e-12);
});

test("a head is switched off, and on again", () => {
  assert.deepEqual(switched(["cross.1"], "encoder.0.1"), ["cross.1", "encoder.0.1"]);
  assert.deepEqual(switched(["cross.1", "encoder.0.1"], "cross.1"), ["encoder.0.1"]);
});

test("what is seen first is drawn at once; the rest later, unless something newer is", async () => {
  globalThis.requestAnimationFrame = (act) => setTimeout(act);
  globalThis.cancelAnimationFrame = clearTimeout;
  const [drawing, done] = [new Drawing(), []];
  const draw = (...names) => names.map((name) => () => done.push(name));
  drawing.draw(draw("a", "b"), draw("old"));
  assert.deepEqual(done, ["a", "b"]);
  await new Promise((last) => drawing.draw(draw("c"), [...draw("d", "e"), last]));
  assert.deepEqual(done, ["a", "b", "c", "d", "e"]);
});
