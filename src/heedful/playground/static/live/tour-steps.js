/**
 * The steps of the tour, in the order of the story: what each needs of the trace, which panel shows
 * the same, and which lines of heedful do it.
 *
 * The texts of a step are `tour.NAME.title`, `tour.NAME.1`, `tour.NAME.2` ...; its figure is
 * FIGURES[NAME]. Code is named "FILE:SYMBOL", with the file as it lies in the package.
 */

import { pairOf } from "heedful/live/tour-it.js";
import { headOf } from "heedful/live/tour-kit.js";
import { largest, pronounStep, rowOfHead } from "heedful/live/tour-maths.js";

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} needs - Of the trace: "encoder", "decoder", "cross", "steps".
 * @property {string} panel - The name of the panel that shows the same; empty: none does.
 * @property {(look: import("heedful/live/tour-kit.js").Look) => [string, any][]} show - What is
 *   told, so that the panel shows it.
 * @property {string[]} code
 * @property {boolean} [beside] - Whether it needs a recurrent model beside the others.
 */

const PIECES = { panel: "tokens", show: () => [] };

/** @type {Step[]} */
export const STEPS = [
  { name: "sentence", needs: [], ...PIECES, code: ["models/transformer.py:Transformer"] },
  {
    name: "pieces",
    needs: [],
    ...PIECES,
    code: ["text/tokenizer.py:Tokenizer.encode_source", "text/pieces.py:language_tag"],
  },
  { name: "embeddings", needs: [], ...PIECES, code: ["nn/embedding.py:Tables.embed_source"] },
  { name: "positions", needs: [], ...PIECES, code: ["nn/position.py:sinusoids"] },
  {
    name: "attention",
    needs: ["encoder"],
    panel: "attention",
    show: (look) => [viewOf(look, "encoder")],
    code: [
      "nn/attention.py:MultiHeadAttention.queries",
      "nn/attention.py:attention_scores",
      "nn/attention.py:attention_weights",
      "nn/attention.py:attend",
    ],
  },
  {
    name: "heads",
    needs: ["encoder"],
    panel: "attention",
    show: (look) => [viewOf(look, "encoder")],
    code: [
      "nn/attention.py:MultiHeadAttention.forward",
      "nn/attention.py:MultiHeadAttention.joined",
    ],
  },
  {
    name: "layers",
    needs: [],
    panel: "machine",
    show: () => [],
    code: [
      "models/layers.py:EncoderLayer.forward",
      "models/layers.py:DecoderLayer.forward",
    ],
  },
  {
    name: "mask",
    needs: ["steps", "decoder"],
    panel: "attention",
    show: (look) => [viewOf(look, "decoder")],
    code: ["nn/mask.py:causal_mask", "nn/attention.py:attention_scores"],
  },
  {
    name: "cross",
    needs: ["steps", "cross"],
    panel: "attention",
    show: (look) => [viewOf(look, "cross")],
    code: ["models/layers.py:DecoderLayer.forward"],
  },
  {
    name: "softmax",
    needs: ["steps"],
    panel: "outputs",
    show: (look) => [["step", look.choice.step]],
    code: [
      "nn/embedding.py:Tables.project",
      "search/greedy.py:_Likeliest.choose",
      "search/beam.py:BeamSearch.grow",
    ],
  },
  {
    name: "it",
    needs: ["encoder", "steps"],
    panel: "evidence",
    show: (look) => pairTold(look),
    code: ["inspect/what_if.py:what_if", "inspect/heads/verdict.py:verdict"],
  },
  {
    name: "rnn",
    needs: ["steps"],
    panel: "",
    show: () => [],
    code: [
      "models/recurrent.py:Recurrent.encode",
      "models/recurrent.py:Recurrent.new_cache",
      "models/wiring.py:Unattended",
      "inspect/dependence.py:dependence",
    ],
    beside: true,
  },
];

/**
 * Return the steps that there are.
 * @param {any} beside - The recurrent model that stands beside the others, if one does.
 */
export function stepsOf(beside) {
  return STEPS.filter((step) => beside || !step.beside);
}

/** Code that does a step in one kind of model alone, by a fact of its card. */
export const CODE_BY_KIND = {
  positions: {
    fact: "position",
    code: {
      sinusoidal: "nn/position.py:_Table.forward",
      learned: "nn/position.py:_Table.forward",
      rotary: "nn/position.py:_RotaryPosition.turn",
      alibi: "nn/position.py:_LinearBias.bias",
      relative: "nn/position.py:_ShawBias.bias",
    },
  },
  layers: {
    fact: "residual",
    code: {
      pre_norm: "nn/norm.py:_PreNormBlock.forward",
      post_norm: "nn/norm.py:_PostNormBlock.forward",
    },
  },
};

/** What a step needs, and whether a trace has it. */
const THERE = {
  encoder: ({ maps }) => Boolean(maps.encoder),
  decoder: ({ maps }) => Boolean(maps.decoder),
  cross: ({ maps }) => Boolean(maps.cross),
  steps: ({ wire }) => wire.steps?.length > 0,
};

/**
 * Whether a trace has what a step shows.
 * @param {Step} step
 * @param {any} trace
 */
export function ready({ needs }, trace) {
  return Boolean(trace) && needs.every((name) => THERE[name](trace));
}

/**
 * Return the code of a step: what every model does, and what this one does.
 * @param {Step} step
 * @param {any} card
 * @returns {string[]}
 */
export function codeOf({ name, code }, card) {
  const kinds = CODE_BY_KIND[name];
  const own = kinds?.code[card?.[kinds.fact]];
  return own ? [...code, own] : code;
}

/** Say which head and row the panel of attention is to show. */
function viewOf(look, kind) {
  const row = kind === "encoder" ? look.choice.piece : look.choice.step;
  const head = headOf(look, kind);
  const column = largest(rowOfHead(look.trace.maps[kind], head, row));
  const step = kind === "encoder" ? {} : { step: row };
  return ["view", { kind, ...head, row, column, words: false, hide: false, ...step }];
}

/** Say which pair the panel of evidence is to show: "it" and what was chosen. */
function pairTold(look) {
  const about = pairOf(look);
  if (!about) return [];
  const { row, column } = about;
  const step = pronounStep(look.trace.target);
  const told = ["pick-pair", { kind: "encoder", row, column, words: false }];
  return step < 0 ? [told] : [told, ["step", step]];
}
