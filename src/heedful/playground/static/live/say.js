/**
 * Elements whose texts follow the page's language: they keep the names of their texts.
 */

import { make, onLanguage } from "heedful/dom.js";
import { t } from "heedful/i18n.js";

/** Of each place where a text can stand: the attribute that names it, and how it is set. */
const PLACES = {
  "data-t": (element, text) => (element.textContent = text),
  "data-t-label": (element, text) => element.setAttribute("aria-label", text),
  "data-t-title": (element, text) => element.setAttribute("title", text),
  "data-t-hint": (element, text) => element.setAttribute("placeholder", text),
};

/**
 * Make an element as `make` does; `say`, `label`, `title` and `hint` are names of texts.
 * @param {string} tag
 * @param {Record<string, any>} facts
 * @param {...(Node | string)} children
 */
export function say(tag, { say: text, label, title, hint, ...facts }, ...children) {
  const names = {
    "data-t": text,
    "data-t-label": label,
    "data-t-title": title,
    "data-t-hint": hint,
  };
  const element = make(tag, { ...facts, ...names }, ...children);
  fill(element);
  return element;
}

function fill(element) {
  for (const [name, set] of Object.entries(PLACES)) {
    if (element.hasAttribute(name)) set(element, t(element.getAttribute(name)));
  }
}

function fillAll() {
  const named = Object.keys(PLACES).map((name) => `[${name}]`);
  for (const element of document.querySelectorAll(named.join(", "))) fill(element);
}

if (typeof document !== "undefined") onLanguage(fillAll);
