/** Every text is there in both languages, with the same facts; every text that is asked for is. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { addTexts, filled, setLanguage, t } from "heedful/i18n.js";

const NAMES = ["text", ...["shell", "panels", "tour", "writes"].map((name) => `live/text-${name}`)];
const [ENGLISH, CHINESE] = await Promise.all(["en", "zh"].map(textsOf));

/** Load and return every text of a language. */
async function textsOf(language) {
  const files = NAMES.map((name) => import(`heedful/${name}-${language}.js`));
  const texts = Object.assign({}, ...(await Promise.all(files)).map(({ TEXTS }) => TEXTS));
  addTexts(language, texts);
  return texts;
}

const STATIC = new URL("../../src/heedful/playground/static/", import.meta.url);

function forms(text) {
  return typeof text === "string" ? [text] : Object.values(text);
}

function places(text) {
  const found = forms(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []);
  return [...new Set(found)].sort();
}

test("both languages have the same texts", () => {
  assert.deepEqual(Object.keys(CHINESE).sort(), Object.keys(ENGLISH).sort());
});

test("a text names the same facts in both languages", () => {
  for (const [key, text] of Object.entries(ENGLISH)) {
    assert.deepEqual(places(CHINESE[key]), places(text), key);
  }
});

test("Chinese is written with Chinese marks", () => {
  const ascii = /[\p{Script=Han}”）][,:;!?(]|[,;!?)][\p{Script=Han}“（]/u;
  for (const [key, text] of Object.entries(CHINESE)) {
    for (const form of forms(text)) assert.doesNotMatch(form, ascii, key);
  }
});

test("every text that a module names is there", () => {
  const folders = ["", "live/"];
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, STATIC))
      .filter((name) => name.endsWith(".js"))
      .map((name) => folder + name),
  );
  assert.ok(files.length > 30);
  for (const name of files) {
    const code = readFileSync(new URL(name, STATIC), "utf8");
    const named = [
      ...code.matchAll(/\bt\("([\w.-]+)"/g),
      ...code.matchAll(/\b(?:say|label|hint|title): "([a-z][\w-]*\.[\w.-]+)"/g),
    ];
    for (const [, key] of named) assert.ok(key in ENGLISH, `${name}: ${key}`);
  }
});

test("facts are put in, and one is told from several", () => {
  assert.equal(filled("{a} and {b}, {c}", { a: 1, b: "two" }), "1 and two, {c}");
  const text = { one: "{n} line", other: "{n} lines" };
  assert.deepEqual(
    [0, 1, 2].map((n) => filled(text, { n })),
    ["0 lines", "1 line", "2 lines"],
  );
  assert.equal(filled({ other: "{n} 行" }, { n: 1 }, "zh"), "1 行");
  assert.equal(filled("{a}", { a: "{b}", b: "no" }), "{b}");
});

test("a language is chosen; what is not known is English", () => {
  setLanguage("zh");
  assert.equal(t("tab.translate"), "翻译");
  setLanguage("tlh");
  assert.equal(t("tab.translate"), "Translate");
  assert.equal(t("there.is.none"), "there.is.none");
});
