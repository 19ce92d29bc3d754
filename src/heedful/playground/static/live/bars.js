/**
 * Bars for numbers with a sign: to the right of a line in the middle what is above 0.
 */

import { make } from "heedful/dom.js";

/**
 * Return where a bar begins and how wide it is, in per cent of its room; 0 is in the middle.
 * @param {number} value
 * @param {number} largest - What fills half of the room.
 * @returns {{left: number, width: number}}
 */
export function placed(value, largest) {
  const share = largest > 0 ? Math.min(Math.abs(value) / largest, 1) : 0;
  return { left: value < 0 ? 50 - 50 * share : 50, width: 50 * share };
}

/**
 * Make a bar for a number with a sign.
 * @param {number} value
 * @param {number} largest
 * @returns {any}
 */
export function signedBar(value, largest) {
  const { left, width } = placed(value, largest);
  const bar = make("i", { class: value < 0 ? "below-0" : "" });
  [bar.style.left, bar.style.width] = [`${left}%`, `${width}%`];
  return make("span", { class: "bar signed", "aria-hidden": "true" }, bar);
}

/**
 * Make a bar for a share or for an amount, from the left.
 * @param {number} value
 * @param {number} [largest]
 * @returns {any}
 */
export function amountBar(value, largest = 1) {
  const bar = make("i");
  bar.style.width = `${largest > 0 ? 100 * Math.min(Math.max(value / largest, 0), 1) : 0}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, bar);
}

/**
 * Write a number with its sign, which a bar points to.
 * @param {number} value
 */
export function withSign(value) {
  const text = Math.abs(value).toFixed(3);
  if (Number(text) === 0) return text;
  return `${value < 0 ? "\u2212" : "+"}${text}`;
}
