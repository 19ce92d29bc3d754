/**
 * Weights as a list of bars with their numbers: of a row, or of a column.
 */

import { make, makePiece } from "heedful/dom.js";
import { percent, rowLabel } from "heedful/numbers.js";
import { rowOf } from "heedful/views.js";

/** Lines of a list at most. */
const LISTED = 8;

/**
 * Return the lines of a row: what gets most first.
 * @param {import("heedful/views.js").View} shown
 * @param {number} row
 * @param {number[]} [exact] - The row as Python has it, where the view's is rounded.
 */
export function rowInNumbers(shown, row, exact) {
  const weights = exact ?? rowOf(shown, row);
  return [...weights.keys()]
    .sort((a, b) => weights[b] - weights[a])
    .slice(0, LISTED)
    .map((column) => {
      const { text, special } = shown.columns[column];
      return line(text, special, weights[column], shown.exact || exact !== undefined);
    });
}

/**
 * Return the lines of a column: who gives it most first.
 * @param {import("heedful/views.js").View} shown
 * @param {number} column
 */
export function columnInNumbers(shown, column) {
  const { rows, columns, weights, exact } = shown;
  const of = (row) => weights[row * columns.length + column];
  return [...rows.keys()]
    .sort((a, b) => of(b) - of(a))
    .slice(0, LISTED)
    .map((row) => line(rowLabel(rows[row]), rows[row].special, of(row), exact));
}

function line(text, special, weight, exact) {
  const bar = make("i");
  bar.style.width = `${100 * weight}%`;
  return make(
    "li",
    {},
    makePiece(text, { class: special ? "piece special" : "piece" }),
    make("span", { class: "bar" }, bar),
    make("span", { class: "n", text: percent(weight, exact) }),
  );
}
