/**
 * How the state changes: what no longer fits is let go.
 */

import { firstView } from "heedful/live/state-url.js";

/** @typedef {import("heedful/live/state-url.js").State} State */

/**
 * Return a state with a change: with another sentence or model those edits stay that still can be.
 * @param {State} before
 * @param {Partial<State>} change
 * @returns {State}
 */
export function changed(before, change) {
  const after = { ...before, ...change };
  const other = (name) => name in change && change[name] !== before[name];
  if (other("text") || other("to") || other("model")) {
    if (!("edits" in change)) after.edits = fitting(after.edits, after.text);
  }
  if (other("model") && before.model && !("edits" in change)) {
    after.edits = { ...after.edits, ablate: [] };
  }
  return after;
}

function fitting(edits, text) {
  const kept = Object.entries(edits.replace).filter(([word]) => text.includes(word));
  return { ...edits, replace: Object.fromEntries(kept), prefix: null };
}

/**
 * Return what is chosen in the trace of another sentence: rows and steps are others, and with
 * another model heads are.
 * @param {import("heedful/live/state-url.js").View} view
 * @param {boolean} model - Whether the model is another, too.
 */
export function viewOfAnother(view, model) {
  const { kind, words, hide } = view;
  if (model) return { ...firstView(), kind, words, hide };
  return { ...view, row: null, column: null, step: null };
}

/**
 * Return which heads are switched off when one is, or is on again.
 * @param {string[]} ablate
 * @param {string} name
 */
export function switched(ablate, name) {
  return ablate.includes(name) ? ablate.filter((one) => one !== name) : [...ablate, name];
}

/**
 * Return what of a state can be taken back.
 * @param {State} state
 * @returns {Partial<State>}
 */
export function undoable(state) {
  const { model, from, to, text, target, beam, length_penalty, edits } = state;
  return { model, from, to, text, target, beam, length_penalty, edits };
}
