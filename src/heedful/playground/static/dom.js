/**
 * Elements, made so that text can only ever be text.
 */

import { marked } from "heedful/numbers.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element: `text` is its text, `on` its listeners, all else attributes.
 * @param {string} tag
 * @param {Record<string, any>} [facts]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, facts = {}, ...children) {
  return filled(document.createElement(tag), facts, children);
}

/**
 * Make an element of SVG in the same way.
 * @param {string} tag
 * @param {Record<string, any>} [facts]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function draw(tag, facts = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), facts, children);
}

function filled(element, { text, on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

/**
 * Make an element that holds a piece, the mark of its space faint.
 * @param {string} piece
 * @param {Record<string, any>} [facts]
 */
export function makePiece(piece, facts = {}) {
  const [mark, rest] = marked(piece);
  return make("span", facts, ...(mark ? [make("span", { class: "space", text: mark })] : []), rest);
}

/**
 * Make a text of SVG that holds a piece in the same way.
 * @param {string[]} pieces
 * @param {Record<string, any>} facts
 */
export function drawPieces(pieces, facts) {
  const parts = pieces.flatMap((piece) => {
    const [mark, rest] = marked(piece);
    const space = mark ? [draw("tspan", { class: "space", text: mark })] : [];
    return [...space, draw("tspan", { text: rest })];
  });
  return draw("text", facts, ...parts);
}

/**
 * Tell those around an element what was chosen in it.
 * @param {Element} element
 * @param {string} name
 * @param {any} detail
 */
export function tell(element, name, detail) {
  element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}

/**
 * Make a table; the first cell of every row is its heading.
 * @param {string} caption
 * @param {string[]} heads
 * @param {(string | Node)[][]} rows
 */
export function table(caption, heads, rows) {
  const head = heads.map((text) => make("th", { scope: "col", text }));
  const body = rows.map((cells) =>
    make(
      "tr",
      {},
      ...cells.map((cell, place) =>
        make(place ? "td" : "th", { scope: place ? undefined : "row" }, cell),
      ),
    ),
  );
  return make(
    "table",
    {},
    make("caption", { text: caption }),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

/**
 * Make a switch that says whether it is on.
 * @param {string} text
 * @param {(on: boolean) => void} change
 * @param {boolean} on - What it is at first.
 */
export function toggle(text, change, on = false) {
  const facts = { type: "button", class: "toggle", "aria-pressed": String(on), text };
  const button = make("button", facts);
  button.addEventListener("click", () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    change(next);
  });
  return button;
}

/**
 * Call back when the page turns light or dark.
 * @param {() => void} changed
 */
export function onTheme(changed) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  document.addEventListener("theme", changed);
}

/** What was read of the style sheet; reading it makes the browser lay the page out at once. */
const STYLE = new Map();
if (typeof document !== "undefined") onTheme(() => STYLE.clear());

/**
 * Call back with the width that an element has, whenever it is another.
 * @param {Element} element
 * @param {(width: number) => void} changed - In whole pixels; 0: it is not there to be seen.
 */
export function onWidth(element, changed) {
  let known = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.floor(contentRect.width);
    if (width === known) return;
    known = width;
    changed(width);
  }).observe(element);
}

/**
 * Call back when the page speaks another language.
 * @param {() => void} changed
 */
export function onLanguage(changed) {
  document.addEventListener("language", changed);
}

/**
 * Return what the style sheet says of the whole page: a variable, or a property such as its font.
 * @param {string} name
 */
export function variable(name) {
  if (!STYLE.has(name)) {
    STYLE.set(name, getComputedStyle(document.body).getPropertyValue(name).trim());
  }
  return STYLE.get(name);
}
