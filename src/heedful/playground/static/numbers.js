/**
 * How numbers and names are written. Layers and heads are counted from 1 here, from 0 in the data.
 */

import { t } from "heedful/i18n.js";

const SPACE = "\u00a0";

/** The kinds of attention. */
export const KINDS = ["encoder", "decoder", "cross"];

/**
 * Write a share as per cent: one digit after the point, none where the number itself is rounded.
 * @param {number} share
 * @param {boolean} exact
 */
export function percent(share, exact = true) {
  if (!exact) return `≈${SPACE}${(100 * share).toFixed(0)}${SPACE}%`;
  if (share > 0 && share < 0.0005) return `<${SPACE}0.1${SPACE}%`;
  return `${(100 * share).toFixed(1)}${SPACE}%`;
}

/**
 * Write a logarithm or a score, with a minus sign that is as wide as a digit.
 * @param {number} value
 */
export function decimal(value) {
  const text = Math.abs(value).toFixed(3);
  return value < 0 && Number(text) !== 0 ? `\u2212${text}` : text;
}

/**
 * Write a piece as it is read in a sentence: without the mark of the space before it.
 * @param {string} piece
 */
export function plain(piece) {
  return piece.length > 1 && piece.startsWith("▁") ? piece.slice(1) : piece;
}

/**
 * Split a piece into the mark of the space before it, if it has one, and the rest.
 * @param {string} piece
 * @returns {[string, string]}
 */
export function marked(piece) {
  return piece.startsWith("▁") ? ["▁", piece.slice(1)] : ["", piece];
}

/**
 * Name a head, or a layer if there is no head.
 * @param {string} kind
 * @param {number} layer
 * @param {number} [head]
 */
export function headName(kind, layer, head) {
  if (head === undefined) return t(`layer.${kind}`, { layer: layer + 1 });
  return t(`head.${kind}`, { layer: layer + 1, head: head + 1 });
}

/**
 * Begin with a capital, where the script has any.
 * @param {string} text
 */
export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/**
 * Name a row: what it is, or what the decoder reads and predicts there.
 * @param {import("heedful/words.js").Group} row
 */
export function rowName({ text, reads }) {
  if (reads === undefined) return plain(text);
  return t("row.decoder", { reads: plain(reads), text: plain(text) });
}

/**
 * Label a row: what it is, or what the decoder reads and predicts there.
 * @param {import("heedful/words.js").Group} row
 */
export function rowLabel({ text, reads }) {
  return reads === undefined ? text : `${reads} → ${text}`;
}

/**
 * Say what a row of a view gives to a column.
 * @param {import("heedful/views.js").View} shown
 * @param {number} row
 * @param {number} column
 */
export function sentence(shown, row, column) {
  const { kind, layer, head, rows, columns, weights, exact, renormalised } = shown;
  const from = rows[row];
  const ending = from.reads === undefined ? "" : ".decoder";
  const facts = { row: rowName(from), head: headName(kind, layer, head) };
  if (columns.length === 0 || (renormalised && shown.hidden[row] > 1 - 1e-6)) {
    return t(`row.hidden${ending}`, facts);
  }
  const share = percent(weights[row * columns.length + column], exact);
  return t(`row.says${ending}`, { ...facts, share, column: plain(columns[column].text) });
}

/**
 * Say how much of a head's weight is hidden, and of a row's.
 * @param {import("heedful/views.js").View} shown
 * @param {number} row
 */
export function hiddenMass({ hidden, renormalised, exact }, row) {
  const mean = hidden.reduce((sum, value) => sum + value, 0) / hidden.length;
  const facts = { whole: percent(mean, exact), own: percent(hidden[row], exact) };
  return t(renormalised ? "mass.hidden" : "mass.shown", facts);
}
