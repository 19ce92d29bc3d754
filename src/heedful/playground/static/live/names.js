/**
 * What languages are called, and which of them models translate.
 */

import { language } from "heedful/i18n.js";

/** What names languages, by the language that it does so in. */
const NAMES = new Map();

function names() {
  const own = language();
  if (!NAMES.has(own)) NAMES.set(own, new Intl.DisplayNames([own], { type: "language" }));
  return NAMES.get(own);
}

/**
 * Return what a language is called in the page's language; its code where that is not known.
 * @param {string} code
 */
export function languageName(code) {
  if (!code) return "";
  try {
    return names().of(code) ?? code;
  } catch {
    return code;
  }
}

/**
 * Return the languages that some way begins with, each once.
 * @param {[string, string][]} ways
 */
export function sourcesOf(ways) {
  return [...new Set(ways.map(([from]) => from).filter(Boolean))];
}

/**
 * Return the languages that some way leads to, from one language or from any.
 * @param {[string, string][]} ways
 * @param {string} from - Empty: any.
 */
export function targetsOf(ways, from = "") {
  const found = ways.filter(([one]) => !from || !one || one === from).map(([, to]) => to);
  return [...new Set(found.filter(Boolean))];
}

/**
 * Return a target that there is: the one that is asked for if it is one, else the first.
 * @param {[string, string][]} ways
 * @param {string} from - Empty: any.
 * @param {string} to
 */
export function fittingTarget(ways, from, to) {
  const targets = targetsOf(ways, from);
  return targets.includes(to) ? to : (targets[0] ?? "");
}
