/**
 * A row of tabs, of which one is chosen: by a click, or by the arrow keys.
 */

import { make } from "heedful/dom.js";
import { say } from "heedful/live/say.js";

/**
 * Make a row of tabs.
 * @param {object} facts
 * @param {string} facts.label - The name of the text that says what is chosen here.
 * @param {{name: string, say: string, controls: string}[]} facts.tabs
 * @param {(name: string) => void} facts.choose
 * @returns {{element: HTMLElement, select: (name: string, shown?: string[]) => void}} - `select`
 *   chooses a tab; of all others those are shown that are named, or all.
 */
export function tabList({ label, tabs, choose }) {
  const element = say("div", { role: "tablist", label, class: "tabs" });
  const buttons = tabs.map(({ name, say: text, controls }) =>
    say("button", {
      type: "button",
      role: "tab",
      say: text,
      id: `tab-${controls}`,
      "data-name": name,
      "aria-controls": controls,
      on: { click: () => choose(name) },
    }),
  );
  element.append(...buttons);
  element.addEventListener("keydown", (event) => {
    const there = buttons.filter((button) => !button.hidden);
    const at = there.indexOf(event.target);
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: there.length - 1 };
    if (at < 0 || !(event.key in moves)) return;
    event.preventDefault();
    const next = there[(moves[event.key] + there.length) % there.length];
    next.focus();
    next.click();
  });
  const select = (name, shown) => {
    for (const button of buttons) {
      button.hidden = shown !== undefined && !shown.includes(button.dataset.name);
      const chosen = button.dataset.name === name;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
  };
  return { element, select };
}

/**
 * Make what a tab opens.
 * @param {string} id
 * @param {...Node} children
 */
export function tabPanel(id, ...children) {
  return make("div", { role: "tabpanel", id, "aria-labelledby": `tab-${id}` }, ...children);
}
