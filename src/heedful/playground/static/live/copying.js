/**
 * Copies text, and says so to everybody.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";

/**
 * Copy a text; return whether it was.
 * @param {string} text
 */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedByHand(text);
  }
}

/** Without a secure context there is no clipboard; the old way works in a click. */
function copiedByHand(text) {
  const before = document.activeElement;
  const box = make("textarea", { class: "unseen", "aria-hidden": "true" });
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  before?.focus?.();
  return done;
}

/**
 * Copy a text, and say on a button for a moment whether it was.
 * @param {any} button
 * @param {string} text
 */
export async function copyFrom(button, text) {
  const done = await copied(text);
  announce(t(done ? "copied" : "copied.not"));
  if (!done) return;
  button.setAttribute("data-done", "");
  setTimeout(() => button.removeAttribute("data-done"), 1500);
}

/**
 * Say something once, to those who see the page and to those who hear it.
 * @param {string} sentence
 */
export function announce(sentence) {
  document.dispatchEvent(new CustomEvent("announce", { detail: sentence }));
}
