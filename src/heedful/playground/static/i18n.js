/**
 * The page's sentences, by name, in the language that is chosen.
 *
 * Texts stand in text-en.js and text-zh.js and, of the live page, in files of such names; whoever
 * loads one adds it. When the language changes, `document` tells `language`, and whoever shows a
 * text shows it anew.
 */

/** A sentence, or one for a single thing and one for several: `n` says how many there are. */
/** @typedef {string | {one?: string, other: string}} Text */

/** @type {Record<string, Record<string, Text>>} */
const TEXTS = { en: {}, zh: {} };

let current = typeof document === "undefined" ? "en" : preferred();

/** What is talked about: "writes" of a model that goes on with texts, "" of one that translates. */
let voice = "";

/** The languages that there are texts in. */
export const LANGUAGES = Object.keys(TEXTS);

/**
 * Add texts of a language.
 * @param {string} language
 * @param {Record<string, Text>} texts
 */
export function addTexts(language, texts) {
  Object.assign(TEXTS[language], texts);
}

/**
 * Return a text in the chosen language, each `{name}` in it replaced.
 *
 * Where models that write need other words, a text has a twin of its name and ".writes".
 * @param {string} key
 * @param {Record<string, string | number>} [facts] - `n` chooses between one and several.
 */
export function t(key, facts = {}) {
  const texts = TEXTS[current];
  return filled((voice && texts[`${key}.${voice}`]) || (texts[key] ?? key), facts, current);
}

/**
 * Whether there is a text of that name.
 * @param {string} key
 */
export function hasText(key) {
  return key in TEXTS[current];
}

/**
 * Put facts into a text.
 * @param {Text} text
 * @param {Record<string, string | number>} facts
 * @param {string} language
 */
export function filled(text, facts, language = "en") {
  const sentence = typeof text === "string" ? text : text[form(text, facts.n, language)];
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(facts[name] ?? whole));
}

function form(text, n, language) {
  const found = new Intl.PluralRules(language).select(Number(n ?? 0));
  return found in text ? found : "other";
}

/** Return the language that is chosen. */
export function language() {
  return current;
}

/**
 * Choose a language; one that is not known is English.
 * @param {string} asked
 */
export function setLanguage(asked) {
  const next = asked in TEXTS ? asked : "en";
  const changed = next !== current;
  current = next;
  if (typeof document === "undefined") return;
  const lang = next === "zh" ? "zh-CN" : next;
  // Setting it anew, too, makes the browser work out the style of the whole page anew.
  if (document.documentElement.lang !== lang) document.documentElement.lang = lang;
  if (changed) document.dispatchEvent(new CustomEvent("language", { detail: next }));
}

/**
 * Choose what is talked about.
 * @param {"" | "writes"} next
 */
export function setVoice(next) {
  if (next === voice) return;
  voice = next;
  if (typeof document === "undefined") return;
  document.dispatchEvent(new CustomEvent("language", { detail: current }));
}

/** Return what is talked about. */
export function speaksOf() {
  return voice;
}

/** Return the language that the browser asks for first. */
export function preferred() {
  const asked = globalThis.navigator?.language ?? "en";
  return asked.toLowerCase().startsWith("zh") ? "zh" : "en";
}
