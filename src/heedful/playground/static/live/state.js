/**
 * How the state changes: what no longer fits is let go.
 */

import { fittingTarget } from "heedful/live/names.js";
import { firstView } from "heedful/live/state-url.js";

/** @typedef {import("heedful/live/state-url.js").State} State */

/** The kinds of models that the Transformer replaced; the tour is not about them. */
export const REPLACED = ["recurrent", "convolutional"];

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
 * Return what is looked at first: the step at which a model begins to write by itself, and its row.
 * @param {import("heedful/live/state-url.js").View} view
 * @param {number} begins - The first step that is no longer the prompt's; 0: there is no prompt.
 * @returns {import("heedful/live/state-url.js").View}
 */
export function begun(view, begins) {
  const row = view.row ?? (begins && !view.words ? begins : null);
  return { ...view, row, step: view.step ?? begins };
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
  const { most, temperature, seed } = state;
  return { model, from, to, text, target, beam, length_penalty, most, temperature, seed, edits };
}

/**
 * Return what a trace is asked for with.
 * @param {State} state
 * @param {boolean} writes - Whether the model goes on with texts.
 */
export function questionOf(state, writes) {
  const { model, text, target, temperature, seed } = state;
  const { beam, length_penalty, most } = state;
  const from = state.from || null;
  const to = state.to || null;
  if (!writes) return { model, text, from, to, target, beam, length_penalty };
  if (target !== null) return { model, text, target };
  return { model, text, target, most, ...(temperature ? { temperature, seed } : {}) };
}

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {boolean} writes
 * @property {{kind: string}} [card]
 * @property {[string, string][]} ways
 * @property {number} beam - The most that its search may keep.
 */

/**
 * Return a state as it can be of its model.
 * @param {State} state
 * @param {Partial<State>} change - What was changed last.
 * @param {Model[]} models
 * @returns {State}
 */
export function fitted(state, change, models) {
  const after = ofKind(state, change, models);
  const model = models.find(({ name }) => name === after.model);
  return model ? possible(after, model) : after;
}

/**
 * A model that goes on with texts translates nothing, and has one kind of attention. Whoever wants
 * to translate gets a model that does.
 */
function ofKind(state, change, models) {
  const model = models.find(({ name }) => name === state.model);
  if (REPLACED.includes(model?.card?.kind) && state.tab === "tour") {
    return { ...state, tab: "inside" };
  }
  if (!model?.writes) return state;
  const translator = models.find(({ writes }) => !writes);
  if (change.tab === "translate" && translator) return changed(state, { model: translator.name });
  const view = state.view.kind === "decoder" ? state.view : { ...firstView(), kind: "decoder" };
  return { ...state, tab: "inside", view };
}

/** Its languages and its beam are the model's; who translates may name one that another reads. */
function possible(state, { ways, beam }) {
  const to = fittingTarget(ways, "", state.to);
  const known = ways.some(([one, other]) => one === state.from && other === to);
  const from = known || state.tab === "translate" ? state.from : "";
  return { ...state, from, to, beam: Math.min(state.beam, beam) };
}
