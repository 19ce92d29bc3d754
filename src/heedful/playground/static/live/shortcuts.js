/**
 * Single keys, and the dialog that tells them.
 */

import { make } from "heedful/dom.js";
import { say } from "heedful/live/say.js";

/** What single keys do; Shift makes a letter large. */
const KEYS = { "/": "input", "?": "help", u: "undo", U: "redo", x: "ablate" };

/** What the dialog tells: keys, and the name of the text. */
const TOLD = [
  [["/"], "help.input"],
  [["u"], "help.undo"],
  [["Shift", "u"], "help.redo"],
  [["x"], "help.ablate"],
  [["?"], "help.help"],
  [["←", "→", "↑", "↓"], "help.arrows"],
  [["Home", "End"], "help.ends"],
  [["Page Up", "Page Down"], "help.layers"],
  [["1", "…", "9"], "help.heads"],
];

/**
 * Return what a key does, or undefined: nothing while something is written, or with another key.
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean,
 *   isComposing?: boolean, defaultPrevented?: boolean}} event
 * @param {boolean} writing - Whether the key goes to a box for text.
 * @returns {string | undefined}
 */
export function actionOf(event, writing) {
  const { key, ctrlKey, metaKey, altKey, isComposing, defaultPrevented } = event;
  if (writing || ctrlKey || metaKey || altKey || isComposing || defaultPrevented) return undefined;
  return KEYS[key];
}

/** Whether an element takes what is written. */
export function takesText(element) {
  if (element?.isContentEditable) return true;
  if (element?.tagName === "INPUT") {
    return !["button", "checkbox", "radio", "range", "submit"].includes(element.type);
  }
  return ["TEXTAREA", "SELECT"].includes(element?.tagName);
}

/**
 * Listen to single keys.
 * @param {Record<string, () => void>} actions
 * @param {() => boolean} enabled
 */
export function listen(actions, enabled) {
  document.addEventListener("keydown", (event) => {
    const action = enabled() && actionOf(event, takesText(event.target));
    if (!action || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    actions[action]();
  });
}

/**
 * Make the dialog that tells the keys.
 * @param {(on: boolean) => void} change - Called when single keys are switched on or off.
 * @returns {{element: any, open: (on: boolean) => void}}
 */
export function helpDialog(change) {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", () => change(box.checked));
  const lines = TOLD.flatMap(([keys, text]) => [
    make("dt", {}, ...keys.map((key) => make("kbd", { text: key }))),
    say("dd", { say: text }),
  ]);
  const facts = { type: "button", class: "toggle", autofocus: "" };
  const close = say("button", { ...facts, say: "page.close" });
  const element = make(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    say("h2", { id: "help-title", say: "help.title" }),
    make("dl", {}, ...lines),
    make("label", { class: "check" }, box, say("span", { say: "help.switch" })),
    say("p", { class: "soft", say: "help.about" }),
    close,
  );
  close.addEventListener("click", () => element.close());
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close();
  });
  const open = (on) => {
    box.checked = on;
    if (!element.open) element.showModal();
  };
  return { element, open };
}
